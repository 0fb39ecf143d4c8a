package promql

import (
	"regexp"
	"strconv"
	"time"
)

var offsetPattern = regexp.MustCompile(`^[0-9a-z.]+`)

// duration reads a length of time, which may be negative.
func (p *parser) duration() time.Duration {
	negative := p.take("-")
	p.space()
	text := offsetPattern.FindString(p.rest)
	d, err := Duration(text)
	if err != nil || text == "" {
		p.fail("%.20q is no offset, such as 1d", p.rest)
		return 0
	}
	p.rest = p.rest[len(text):]
	if negative {
		return -d
	}
	return d
}

var durationPattern = regexp.MustCompile(`^(?:([0-9]+)(ms|s|m|h|d|w|y))+$`)

var durationPart = regexp.MustCompile(`([0-9]+)(ms|s|m|h|d|w|y)`)

// Duration reads a duration of Prometheus, such as 1h30m, or a number of seconds.
func Duration(s string) (d time.Duration, err error) {
	if seconds, err := strconv.ParseFloat(s, 64); err == nil && seconds >= 0 && seconds < 1e9 {
		return time.Duration(seconds * float64(time.Second)), nil
	}
	if len(s) > 40 || !durationPattern.MatchString(s) {
		return 0, bad("%.20q is no duration", s)
	}
	const day = 24 * time.Hour
	units := map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
		"d": day, "w": 7 * day, "y": 365 * day}
	for _, part := range durationPart.FindAllStringSubmatch(s, -1) {
		n, err := strconv.ParseInt(part[1], 10, 64)
		if most := 100 * 365 * day; err != nil || time.Duration(n) > most/units[part[2]] || d > most {
			return 0, bad("%.20q is too long", s)
		}
		d += time.Duration(n) * units[part[2]]
	}
	return d, nil
}
