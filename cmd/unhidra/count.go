package main

import "fmt"

// count returns a number with the noun of what it counts, which takes an -s in the plural.
func count[N int | int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
