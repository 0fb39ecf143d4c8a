package device

import (
	"context"
	"iter"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/names"
)

// Import says how devices are imported.
type Import struct {
	By      domain.AuditActor // who imports them; empty: the owner
	NewKeys bool              // devices that have never connected, or whose keys have all ended, get another key
}

// Imported is what became of a line of an import.
type Imported struct {
	Line         int
	Name, Serial string // as the line says, or the device is called by now
	Device       string // its id; empty if nothing was done
	Key          string // empty: none was made
	Result       domain.ImportResult
	Err          error
}

// importBatch is how many lines are imported in one transaction: few, so that others can write between.
const importBatch = 50

const maxSaid = 200 // bytes of a name that is told back

// Import makes devices of owner as rows describe them, and tells each what became of every row, in
// their order, as soon as it is on disk. A row whose device is there already changes that device, so
// that the same rows again make no doubles. It ends with the first error of rows, of the store or of
// each; what was told before stays.
func (s *Service) Import(
	ctx context.Context, owner string, how Import, rows iter.Seq2[Row, error], each func(Imported) error,
) error {
	if how.By.Kind == "" {
		how.By = userActor(owner)
	}
	if how.NewKeys { // those that have connected meanwhile keep their keys
		if err := s.storeLinks(ctx); err != nil {
			return err
		}
	}
	seen := newSeen()
	batch := make([]Row, 0, importBatch)
	flush := func() error {
		done, err := s.importRows(ctx, owner, how, batch)
		if err != nil {
			return err
		}
		batch = batch[:0]
		for _, d := range done {
			if err := each(d); err != nil {
				return err
			}
		}
		return nil
	}
	for row, err := range rows {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if row.Err == nil {
			row.Err = s.checkRow(ctx, owner, &row, seen)
		}
		if batch = append(batch, row); len(batch) == importBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// checkRow makes of a row what is kept, and refuses one that is about the device of a row before.
func (s *Service) checkRow(ctx context.Context, owner string, row *Row, seen seen) (err error) {
	if row.Change.Name == nil && row.Change.Serial == nil {
		return domain.InvalidField("/name", "a line needs a name or a serial number")
	}
	if row.Change, err = s.checkChange(row.Change); err != nil {
		return err
	}
	if row.Template != "" && seen.templates[row.Template] == nil {
		n, err := s.template(ctx, owner, row.Template)
		if err != nil {
			return err
		}
		seen.templates[row.Template] = &n
	}
	row.from = seen.templates[row.Template]
	return seen.add(row.Change, row.Line)
}

// checkChange returns c as it is kept.
func (s *Service) checkChange(c domain.DeviceChange) (domain.DeviceChange, error) {
	if c.Name != nil {
		name, err := names.CheckPrincipal("/name", *c.Name, domain.MaxDeviceName, true)
		if err != nil {
			return c, err
		}
		c.Name = &name
	}
	if c.Expires != nil {
		if err := domain.CheckEnd("/expires", *c.Expires, s.Now()); err != nil {
			return c, err
		}
		end := c.Expires.Truncate(time.Millisecond) // as the store keeps it
		c.Expires = &end
	}
	return domain.CheckDeviceChange(c)
}

// seen has the lines in which serial numbers and names were, and which names had no serial number.
type seen struct {
	serials, names, bare map[string]int
	templates            map[string]*domain.NamedTemplate // that lines have named
}

func newSeen() seen {
	return seen{make(map[string]int), make(map[string]int), make(map[string]int),
		make(map[string]*domain.NamedTemplate)}
}

func (s seen) add(c domain.DeviceChange, line int) error {
	bare := c.Serial == nil || *c.Serial == ""
	if !bare {
		if before := s.serials[*c.Serial]; before > 0 {
			return domain.InvalidField("/serial", "line %d has the same serial number", before)
		}
		s.serials[*c.Serial] = line
	}
	if c.Name == nil {
		return nil
	}
	before := s.bare[*c.Name]
	if bare && before == 0 {
		before = s.names[*c.Name]
	}
	if before > 0 {
		return domain.InvalidField("/name", "line %d has the same name; tell the devices apart by serial numbers", before)
	}
	s.names[*c.Name] = line
	if bare {
		s.bare[*c.Name] = line
	}
	return nil
}

// importRows imports a batch.
func (s *Service) importRows(ctx context.Context, owner string, how Import, rows []Row) ([]Imported, error) {
	var good []domain.DeviceImport
	var keys []string
	for _, row := range rows {
		if row.Err == nil {
			key, k, secret := s.issue(domain.NewID(domain.DevicePrefix), time.Time{})
			good, keys = append(good, domain.DeviceImport{DeviceChange: row.Change, Key: k, Secret: secret,
				Template: row.from}), append(keys, key)
		}
	}
	var stored []domain.DeviceImported
	if len(good) > 0 {
		var err error
		if stored, err = s.Store.ImportDevices(ctx, owner, good, how.NewKeys, s.Max, s.Now()); err != nil {
			return nil, err
		}
	}
	done := make([]Imported, len(rows))
	n := 0
	for i, row := range rows {
		if row.Err != nil {
			done[i] = failedRow(row, row.Err)
			continue
		}
		done[i] = s.imported(ctx, how.By, row, stored[n], good[n].Key.ID, keys[n])
		n++
	}
	return done, nil
}

// imported records what became of a row that the store has taken, and returns it.
func (s *Service) imported(
	ctx context.Context, by domain.AuditActor, row Row, d domain.DeviceImported, keyID, key string,
) Imported {
	what := domain.AuditDeviceRegister
	switch d.Result {
	case domain.ImportFailed:
		return failedRow(row, d.Err)
	case domain.ImportCreated:
	case domain.ImportNewKey:
		what = domain.AuditDeviceRotate
	default:
		key = ""
	}
	if key != "" {
		s.record(ctx, what, d.Device.ID, keyID, domain.AuditEvent{Actor: by})
	}
	return Imported{Line: row.Line, Name: d.Device.Name, Serial: d.Device.Serial, Device: d.Device.ID, Key: key,
		Result: d.Result}
}

// failedRow says what a row that failed was about, so that a terminal can show it.
func failedRow(row Row, err error) Imported {
	f := Imported{Line: row.Line, Result: domain.ImportFailed, Err: err}
	if row.Change.Name != nil {
		f.Name = domain.CutText(*row.Change.Name, maxSaid)
	}
	if row.Change.Serial != nil {
		f.Serial = domain.CutText(*row.Change.Serial, maxSaid)
	}
	return f
}
