"""The commands of the program `otklik`: the outermost layer, beside `__main__`."""
