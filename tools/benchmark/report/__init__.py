"""What the raw results of hotplug-bench mean: a summary, a text, a picture. Only Python's own
library is used."""
