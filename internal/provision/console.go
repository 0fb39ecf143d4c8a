package provision

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxLine is how many bytes a line has at most that our firmware reads from its console.
const maxLine = 4300

// errSilent says that nothing on a line is a console of our firmware.
var errSilent = errors.New("nothing on this line answers as a console; is it that of the device, and was it reset?")

// Console tells a device on a serial line its network and whose it becomes, by a line of JSON that our firmware reads.
// Nothing is encrypted on the line. When ctx ends, the line is closed.
func Console(ctx context.Context, line io.ReadWriteCloser, t Target) error {
	if t.SSID != "" {
		if err := checkNetwork(t.SSID, t.Password); err != nil {
			return err
		}
	}
	told := struct {
		SSID     string `json:"ssid,omitempty"`
		Password string `json:"password,omitempty"`
		*Claim
	}{t.SSID, t.Password, t.Claim}
	b, err := json.Marshal(told)
	if err != nil {
		return err
	}
	if len(b) > maxLine {
		return fmt.Errorf("the setup has %d bytes, and may have %d: give fewer certificates", len(b), maxLine)
	}
	stop := context.AfterFunc(ctx, func() { _ = line.Close() })
	defer stop()
	err = console(line, b)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w %w", errSilent, context.Cause(ctx))
	}
	return err
}

// console sends a line, and reads the answer to it between what the device logs.
func console(line io.ReadWriter, b []byte) error {
	if _, err := line.Write(append(b, '\n')); err != nil {
		return err
	}
	for lines := bufio.NewScanner(line); ; {
		if !lines.Scan() {
			return errors.Join(lines.Err(), errSilent)
		}
		text := strings.TrimSpace(lines.Text())
		var answer struct {
			OK    *bool  `json:"ok"`
			Error string `json:"error"`
		}
		if !strings.HasPrefix(text, "{") || json.Unmarshal([]byte(text), &answer) != nil || answer.OK == nil {
			continue
		}
		if !*answer.OK {
			return fmt.Errorf("the device does not take the setup: %q", answer.Error)
		}
		return nil
	}
}
