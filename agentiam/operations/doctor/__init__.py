"""The doctor: looks at what is likeliest to be wrong with an installation, and says the cause and what to do about it.

Each part gathers facts and judges them, in two functions: judging is pure, so that every illness can be shown in a test.
"""
