"""Whether the books agree with themselves and with the provider's balance."""
