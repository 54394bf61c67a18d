"""`make crash-test`: lets processes die, or freeze, at each crash point, and looks what is left."""
