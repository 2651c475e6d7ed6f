"""The steps of the quantizer: a file each."""
