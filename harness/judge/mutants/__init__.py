"""Which mistakes in the rules would recorded drills notice?"""
