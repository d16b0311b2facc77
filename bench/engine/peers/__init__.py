"""Those whom the engine is compared with, each in the best configuration we found for it on two cores."""
