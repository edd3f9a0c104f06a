"""Every plot that training leaves behind: one small function each, one style for all."""
