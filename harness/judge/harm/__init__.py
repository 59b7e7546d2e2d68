"""What a fault did to the predictions: measures, their intervals, and the words that follow from them."""
