"""What those who operate it need: numbers, traces, and a doctor; each extra library is loaded only where it is asked for."""
