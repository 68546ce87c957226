"""What has to change for an organization to be as its manifest says, section by section."""
