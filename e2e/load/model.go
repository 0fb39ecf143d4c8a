package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// counting asks the model "length", which `unhidra model init` makes and which counts characters, at the operator's
// listener. Of ten requests one is too long for it. Until it has loaded, they are refused.
func counting(ctx context.Context, operator string) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		text := "hello"
		if i%10 == 9 {
			text = strings.Repeat(text, 1000)
		}
		if err := infer(ctx, operator+"/v2/models/length/infer", text); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

func infer(ctx context.Context, url, text string) error {
	body := fmt.Sprintf(`{"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": [%q]}]}`, text)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}
