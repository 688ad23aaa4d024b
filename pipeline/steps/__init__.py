"""The steps of the way of the data: each plans its units, and its work function turns files into files.

What is computed lives elsewhere as pure functions; here is only which files go in, which come out, and their keys.
"""
