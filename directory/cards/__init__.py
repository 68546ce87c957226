"""Agent cards (A2A 1.0): what an agent says of itself to everybody, signed, and how others' cards are checked."""
