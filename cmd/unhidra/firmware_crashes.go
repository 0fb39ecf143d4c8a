package main

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/rollout"
)

const crashesText = `firmware crashes [flags] <product> [version]

Says where devices of a product have crashed in the last days, the most frequent place
first: with functions and lines if the ELF file of the firmware was uploaded.
`

func firmwareCrashes(ctx context.Context, e *env, args []string) error {
	o := e.remote("crashes", crashesText)
	days := o.fs.Int("days", 7, "how many `days`, 1 to 90")
	words, err := interspersed(o.fs, args)
	if err != nil {
		return err
	}
	if len(words) == 0 || len(words) > 2 {
		return usagef("name a product, and, if you like, a version")
	}
	q := url.Values{"days": {fmt.Sprint(*days)}}
	if len(words) > 1 {
		q.Set("version", words[1])
	}
	return o.run(ctx, func(ctx context.Context) error {
		p, err := o.product(ctx, words[0])
		if err != nil {
			return err
		}
		groups, err := o.crashes(ctx, "/firmware/products/"+url.PathEscape(p.ID)+"/crashes?"+q.Encode())
		if err != nil {
			return err
		}
		for _, g := range groups {
			o.showCrash(g)
		}
		if len(groups) == 0 {
			fmt.Fprintln(o.stdout, "No device has told of a crash.")
		}
		return nil
	})
}

const (
	explainTries = 10
	explainPause = time.Second
)

// crashes asks for crashes, and again for a while if the server is looking for their functions.
func (o *remote) crashes(ctx context.Context, at string) ([]rollout.CrashGroupView, error) {
	for try := 1; ; try++ {
		var all client.Page[rollout.CrashGroupView]
		if err := o.c.Do(ctx, "GET", at, nil, &all); err != nil {
			return nil, err
		}
		pending := false
		for _, g := range all.Items {
			pending = pending || g.Explained == "pending"
		}
		if !pending || try == explainTries {
			return all.Items, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(explainPause):
		}
	}
}

func (o *remote) showCrash(g rollout.CrashGroupView) {
	fmt.Fprintf(o.stdout, "%s: %d times on %d devices, last at %s: %s %s\n", plain(g.Version), g.Count, g.Devices,
		g.Last.Format(time.DateTime), plain(g.Reset), plain(g.Message))
	for _, c := range g.Calls {
		fmt.Fprintf(o.stdout, "  0x%08x", c.Address)
		if c.Function != "" {
			fmt.Fprintf(o.stdout, " %s", plain(c.Function))
		}
		if c.File != "" {
			fmt.Fprintf(o.stdout, " at %s:%d", plain(c.File), c.Line)
		}
		if c.Inlined {
			fmt.Fprint(o.stdout, " (inlined)")
		}
		fmt.Fprintln(o.stdout)
	}
	switch g.Explained {
	case "no_elf":
		fmt.Fprintln(o.stdout, "  To see functions, upload its ELF file: unhidra firmware upload --elf")
	case "failed":
		fmt.Fprintln(o.stdout, "  Its ELF file cannot be read.")
	}
}
