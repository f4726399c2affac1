"""Devices that run compiled kernels."""
