package config

import (
	"errors"
	"net/url"
	"strconv"
)

// Trace says which requests are traced, and where the traces go.
type Trace struct {
	URL   string  // of an OTLP receiver; empty: nothing is traced
	Share float64 // of the requests, 0 to 1
	// Browser is the share of the requests that the web client traces, 0 to 1. Without a URL it is
	// without effect.
	Browser float64
}

// otlp takes the URL of an OTLP receiver.
func otlp(p *string) func(string) error {
	return func(s string) error {
		*p = s
		if s == "" {
			return nil
		}
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" {
			return errors.New("is not of the form http://collector:4318 or grpc://collector:4317")
		}
		switch u.Scheme {
		case "http", "https":
			return nil
		case "grpc", "grpcs":
			if u.Port() != "" && u.Path == "" {
				return nil
			}
			return errors.New("is not of the form grpc://collector:4317: a host and a port, without a path")
		}
		return errors.New("has a scheme other than http, https, grpc and grpcs")
	}
}

// share takes a number from 0 to 1.
func share(p *float64) func(string) error {
	return func(s string) error {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || !(v >= 0 && v <= 1) {
			return errors.New("is not a number from 0 to 1, such as 0.01")
		}
		*p = v
		return nil
	}
}
