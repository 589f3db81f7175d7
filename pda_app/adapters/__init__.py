"""The handheld's edges: the only files that touch the network, the disk, the camera and the speaker."""
