"""After the sale: an order is cancelled, or a part of it is paid back; one screen each."""
