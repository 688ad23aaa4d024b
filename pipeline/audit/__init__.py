"""What the filters did to whom: bias tables, rights."""
