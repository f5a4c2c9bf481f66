"""What the ops share: window geometry, up-sampling."""
