"""The authorization server for agents: proofs in, tokens out, and the truth of now for whoever asks about one."""
