"""What a grid earned: pure sums over fills, funding payments and prices."""
