"""One module for each measure: a function that takes one turn of one candidate."""
