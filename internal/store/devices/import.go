package devices

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// ImportDevices makes devices of owner as rows describe them, in one transaction. A row whose device
// is there already changes that device: the one of its serial number; or of its name, if either has
// no serial number. Revoked devices do not count as there. With newKeys, a device that has never
// connected, or whose keys have all ended, gets the key of its row. Answers are in the order of rows.
// Rows of one call must differ in what they are found by. More devices than limit are refused, unless it is 0.
func (repo *Repository) ImportDevices(
	ctx context.Context, owner string, rows []domain.DeviceImport, newKeys bool, limit int, now time.Time,
) (done []domain.DeviceImported, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		n, err := lockOwner(ctx, t, owner, now)
		if err != nil {
			return err
		}
		known, err := knownDevices(ctx, t, owner, rows)
		if err != nil {
			return err
		}
		done = make([]domain.DeviceImported, len(rows))
		for i, row := range rows {
			before, err := known.find(row)
			if err == nil && before == nil && limit > 0 && n >= limit {
				err = errTooManyDevices(n)
			}
			if err != nil {
				done[i] = domain.DeviceImported{Result: domain.ImportFailed, Err: err}
				continue
			}
			if before != nil {
				done[i], err = importKnown(ctx, t, *before, row, newKeys, now)
			} else {
				n++
				done[i], err = importNew(ctx, t, owner, row, now)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return done, err
}

// known has the devices that rows of an import may be about, with the serial numbers that they have
// told.
type known struct {
	devices []domain.Device
	told    map[string]string
}

func knownDevices(ctx context.Context, t *store.Tx, owner string, rows []domain.DeviceImport) (known, error) {
	var serials, names []string
	for _, r := range rows {
		if r.Serial != nil && *r.Serial != "" {
			serials = append(serials, *r.Serial)
		}
		if r.Name != nil {
			names = append(names, *r.Name)
		}
	}
	in := func(column string, from int, values []string) string {
		if len(values) == 0 {
			return `FALSE`
		}
		return column + ` IN (` + store.Placeholders(from, len(values)) + `)`
	}
	args := append(append([]any{owner}, store.Args(serials)...), store.Args(names)...)
	devices, err := devicesWhere(ctx, t, `d.owner_id = $1 AND d.revoked_at = 0 AND (`+in(`d.serial`, 2, serials)+
		` OR `+in(`u.display_name`, 2+len(serials), names)+` OR EXISTS (SELECT 1 FROM device_capabilities c
		WHERE c.device_id = d.id AND `+in(`c.serial`, 2, serials)+`)) ORDER BY d.id`, args...)
	if err != nil || len(devices) == 0 {
		return known{}, err
	}
	ids := make([]string, len(devices))
	for i, d := range devices {
		ids[i] = d.ID
	}
	k := known{devices, make(map[string]string)}
	found, err := t.QueryContext(ctx, `SELECT device_id, serial FROM device_capabilities WHERE serial <> ''
		AND device_id IN (`+store.Placeholders(1, len(ids))+`)`, store.Args(ids)...)
	if err != nil {
		return k, err
	}
	_, err = store.Collect(found, func(rows *sql.Rows) (id string, err error) {
		var serial string
		err = rows.Scan(&id, &serial)
		k.told[id] = serial
		return id, err
	})
	return k, err
}

// find returns the device that a row is about, or nil if there is none yet.
func (k known) find(row domain.DeviceImport) (*domain.Device, error) {
	serial := ""
	if row.Serial != nil {
		serial = *row.Serial
	}
	var bySerial, byName []*domain.Device
	for i := range k.devices {
		d := &k.devices[i]
		its := d.Serial
		if its == "" {
			its = k.told[d.ID]
		}
		if serial != "" && its == serial {
			bySerial = append(bySerial, d)
		}
		if row.Name != nil && d.Name == *row.Name && (serial == "" || its == "") {
			byName = append(byName, d)
		}
	}
	switch {
	case len(bySerial) > 1:
		return nil, domain.InvalidField("/serial", "you have %d devices of this serial number; revoke the wrong ones",
			len(bySerial))
	case len(bySerial) == 1:
		return bySerial[0], nil
	case len(byName) > 1:
		return nil, domain.InvalidField("/name", "you have %d devices of this name; tell them apart by serial numbers",
			len(byName))
	case len(byName) == 1:
		return byName[0], nil
	case row.Name == nil:
		return nil, domain.InvalidField("/name", "no device of yours has this serial number; a new one needs a name")
	}
	return nil, nil
}

func importNew(
	ctx context.Context, t *store.Tx, owner string, row domain.DeviceImport, now time.Time,
) (domain.DeviceImported, error) {
	d := domain.Device{ID: row.Key.Device, Owner: domain.UserRef{ID: owner}, CreatedAt: now}
	if row.Template != nil {
		row.Template.Fill(&row.DeviceChange)
	}
	merge(&d, row.DeviceChange)
	err := insertDevice(ctx, t, d, row.Key, row.Secret, now)
	if err == nil {
		err = begin(ctx, t, d, row.Template, now)
	}
	return domain.DeviceImported{Device: d, Result: domain.ImportCreated}, err
}

func importKnown(
	ctx context.Context, t *store.Tx, d domain.Device, row domain.DeviceImport, newKeys bool, now time.Time,
) (domain.DeviceImported, error) {
	was := d
	merge(&d, row.DeviceChange)
	done := domain.DeviceImported{Device: d, Result: domain.ImportUnchanged}
	if d.Name != was.Name || d.Type != was.Type || d.Serial != was.Serial || d.Notes != was.Notes ||
		!d.Expires.Equal(was.Expires) || !slices.Equal(d.Tags, was.Tags) {
		done.Result = domain.ImportUpdated
		c := row.DeviceChange
		if d.Name == was.Name {
			c.Name = nil
		}
		if err := changeDevice(ctx, t, d.ID, c, now); err != nil {
			return done, err
		}
	}
	connected := !d.LastUsed.IsZero() || d.Status.Session > 0 // LastUsed is written late
	opens := slices.ContainsFunc(d.Keys, func(k domain.DeviceKey) bool { return !k.Ended(now) })
	if !newKeys || d.Bridge != "" || connected && opens {
		return done, nil
	}
	done.Result = domain.ImportNewKey
	row.Key.Device = d.ID
	return done, addKey(ctx, t, d, row.Key, row.Secret, now.Add(domain.KeyOverlap), now)
}

// merge puts what a row says into d.
func merge(d *domain.Device, c domain.DeviceChange) {
	for to, from := range map[*string]*string{&d.Name: c.Name, &d.Type: c.Type, &d.Serial: c.Serial, &d.Notes: c.Notes} {
		if from != nil {
			*to = *from
		}
	}
	if c.Expires != nil {
		d.Expires = *c.Expires
	}
	if c.Tags != nil {
		d.Tags = *c.Tags
	}
}
