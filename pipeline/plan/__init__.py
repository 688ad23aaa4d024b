"""How large a model, how many tokens of which source: pure functions of token counts."""
