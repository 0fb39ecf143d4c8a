package main

import (
	"context"
	"fmt"
	"net/url"

	"github.com/unhidra/unhidra/client"
)

const otaText = `firmware ota-url [flags] <device>

Shows by which link a device gets updates that knows only other protocols, such as
ESPHome or Tasmota. With --product and --chip it says first what the device is,
since that cannot say so itself, and makes the link. Whoever has the link gets the
device's firmware. docs/firmware-protocols.md says where to enter it.
`

// deviceOTA is the link of a device as the server shows it.
type deviceOTA struct {
	Product, Chip, Image, Manifest, MD5 string
	Revision                            int
}

func firmwareOTA(ctx context.Context, e *env, args []string) error {
	o := e.remote("ota-url", otaText)
	product := o.fs.String("product", "", "`name` or id of the product that the device is of")
	chip := o.fs.String("chip", "", "its `chip`, as the images name it, such as esp32c3")
	revision := o.fs.Int("revision", 0, "its `revision`: major*100 + minor")
	renew := o.fs.Bool("renew", false, "with --product: end the link that there is, and make another one")
	revoke := o.fs.Bool("revoke", false, "end the link: the device gets no updates any more")
	words, err := parse(o.fs, args, "<device>")
	if err != nil {
		return err
	}
	if (*product == "") != (*chip == "") || *revoke && *product != "" || *renew && *product == "" {
		return usagef("give --product and --chip together, with or without --renew, or --revoke alone, or none of them")
	}
	return o.run(ctx, func(ctx context.Context) error {
		device, err := o.device(ctx, words[0])
		if err != nil {
			return err
		}
		at := "/devices/" + url.PathEscape(device) + "/ota"
		if *revoke {
			if err := o.c.Do(ctx, "DELETE", at, nil, nil); err != nil {
				return err
			}
			fmt.Fprintln(o.stdout, "The link has ended.")
			return nil
		}
		method, body := "GET", any(nil)
		if *product != "" {
			p, err := o.product(ctx, *product)
			if err != nil {
				return err
			}
			method, body = "PUT", map[string]any{"product": p.ID, "chip": *chip, "revision": *revision,
				"renew": *renew}
		}
		var d deviceOTA
		if err := o.c.Do(ctx, method, at, body, &d); err != nil {
			return err
		}
		fmt.Fprintf(o.stdout, "Image:    %s\nManifest: %s\nMD5:      %s\n", d.Image, d.Manifest, d.MD5)
		return nil
	})
}

// device finds a device of one's own by its id or name.
func (o *remote) device(ctx context.Context, name string) (string, error) {
	var all client.Page[struct{ ID, Name string }]
	if err := o.c.Do(ctx, "GET", "/devices?limit=200&q="+url.QueryEscape(name), nil, &all); err != nil {
		return "", err
	}
	var found []string
	for _, d := range all.Items {
		if d.Name == name {
			found = append(found, d.ID)
		}
	}
	switch len(found) {
	case 0:
		return name, nil // the server knows whether it is an id
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("you have %d devices %q; name one by its id", len(found), name)
}
