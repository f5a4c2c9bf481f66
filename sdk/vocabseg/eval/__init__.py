"""Evaluation: confusion matrix, mIoU and the table of methods on generated scenes."""
