"""What a human must decide: requests, who is asked, and what their answers come to."""
