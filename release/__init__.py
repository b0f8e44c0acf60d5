"""Turns `solutions/` into what students receive."""
