"""The only modules of the node that touch a radio, a cable, the broker, the disk or the kernel."""
