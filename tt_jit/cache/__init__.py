"""What makes two kernels the same, and where compiled kernels are kept."""
