"""From a frame to normalised windows."""
