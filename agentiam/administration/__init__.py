"""The admin as one site: who is let in, where its pages are, and what belongs to no single app."""
