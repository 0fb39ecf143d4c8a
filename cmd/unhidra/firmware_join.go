package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/unhidra/unhidra/internal/rollout"
)

const shareText = `firmware share [flags] <product>

Says how others may join your product with their devices, or changes it. Whoever has its
code, or, if it is open, knows its id, sees what they agree to, and says yes for a device
of theirs: your rollouts reach it then. Devices that have joined stay when the code ends;
--send-away has all of them leave, and stops what they are in the middle of.
`

type sharedProduct struct {
	firmwareProduct
	Open   bool
	Code   string
	Joined int
}

func firmwareShare(ctx context.Context, e *env, args []string) error {
	o := e.remote("share", shareText)
	code := o.fs.String("code", "", "`new`: a new code takes the place of the one before; none: there is no code")
	var open *bool
	o.fs.BoolFunc("open", "whoever knows its id may join; --open=false ends that", func(s string) error {
		yes := s != "false"
		open = &yes
		return nil
	})
	away := o.fs.Bool("send-away", false, "have all devices of others leave")
	words, err := parse(o.fs, args, "<product>")
	if err != nil {
		return err
	}
	if *code != "" && *code != "new" && *code != "none" {
		return usagef("--code is new or none, and not %q", *code)
	}
	return o.run(ctx, func(ctx context.Context) error {
		p, err := o.product(ctx, words[0])
		if err != nil {
			return err
		}
		at := "/firmware/products/" + url.PathEscape(p.ID)
		var s sharedProduct
		if *away {
			if err := o.c.Do(ctx, "DELETE", at+"/joins", nil, nil); err != nil {
				return err
			}
		}
		if open == nil && *code == "" {
			err = o.c.Do(ctx, "GET", at, nil, &s)
		} else {
			err = o.c.Do(ctx, "PUT", at+"/sharing", map[string]any{"open": open, "code": *code}, &s)
		}
		if err == nil {
			o.showSharing(s)
		}
		return err
	})
}

func (o *remote) showSharing(s sharedProduct) {
	fmt.Fprintf(o.stdout, "%s (%s): %d devices of others have joined.\n", plain(s.Name), s.ID, s.Joined)
	if s.Code != "" {
		fmt.Fprintf(o.stdout, "  Whoever has the code %s may join: unhidra firmware join <device> %s\n", plain(s.Code),
			plain(s.Code))
	}
	if s.Open {
		fmt.Fprintf(o.stdout, "  It is open: unhidra firmware join <device> %s\n", s.ID)
	}
	if !s.Open && s.Code == "" {
		fmt.Fprintln(o.stdout, "  Nobody else may join.")
	}
}

const joinText = `firmware join [flags] <device> [code or id of a product]

Has a device of yours, by its id, take the firmware of a product of somebody else. Without
--yes it says what you agree to, and changes nothing; without a product, what the device
has joined. --leave takes it back: an update that is under way is stopped.
`

func firmwareJoin(ctx context.Context, e *env, args []string) error {
	o := e.remote("join", joinText)
	yes := o.fs.Bool("yes", false, "agree")
	ask := o.fs.Bool("ask", false, "be asked about each release")
	leave := o.fs.Bool("leave", false, "take it back")
	words, err := interspersed(o.fs, args)
	if err != nil {
		return err
	}
	if len(words) == 0 || len(words) > 2 || *leave && len(words) > 1 {
		return usagef("name a device, and, to join it, the code or the id of a product")
	}
	on := "/devices/" + url.PathEscape(words[0])
	return o.run(ctx, func(ctx context.Context) error {
		switch {
		case *leave:
			err := o.c.Do(ctx, "DELETE", on+"/product", nil, nil)
			if err == nil {
				fmt.Fprintln(o.stdout, "The device takes no firmware of somebody else any more.")
			}
			return err
		case len(words) == 1:
			return o.showJoined(ctx, on)
		}
		return o.join(ctx, on, words[1], *yes, *ask)
	})
}

// join shows the terms of a product, and has a device join it if its owner has said yes.
func (o *remote) join(ctx context.Context, device, product string, yes, ask bool) error {
	key := "code"
	if strings.HasPrefix(product, "prd_") {
		key = "product"
	}
	var terms rollout.ProductTerms
	at := "/firmware/terms?" + url.Values{key: {product}}.Encode()
	if err := o.c.Do(ctx, "GET", at, nil, &terms); err != nil {
		return err
	}
	o.showTerms(terms)
	if !yes {
		fmt.Fprintln(o.stdout, "Say --yes to agree.")
		return nil
	}
	err := o.c.Do(ctx, "PUT", device+"/product", map[string]any{key: product, "ask": ask}, nil)
	if err == nil {
		fmt.Fprintln(o.stdout, "The device has joined.")
	}
	return err
}

func (o *remote) showTerms(t rollout.ProductTerms) {
	fmt.Fprintf(o.stdout, `%s of %s, who may update the device while it reports %s.
  They learn its version, chip and revision, how updates go and what these wait for, and
  summaries of crashes; not which device it is, whose, where, or what it measures.
`, plain(t.Name), plain(t.Publisher.DisplayName), plain(t.Name))
}

func (o *remote) showJoined(ctx context.Context, device string) error {
	var f struct{ Joined *rollout.DeviceJoin }
	if err := o.c.Do(ctx, "GET", device+"/firmware", nil, &f); err != nil {
		return err
	}
	if f.Joined == nil {
		fmt.Fprintln(o.stdout, "The device has joined no product of somebody else.")
		return nil
	}
	o.showTerms(f.Joined.ProductTerms)
	if f.Joined.Ask {
		fmt.Fprintln(o.stdout, "  You are asked about each release.")
	}
	return nil
}
