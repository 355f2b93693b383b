"""Speed and accuracy of Earshot, side by side with what people would use instead."""
