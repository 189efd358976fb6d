def is_berka(folder):
    return False
