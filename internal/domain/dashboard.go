package domain

import (
	"strconv"
	"time"
)

// Limits of dashboards.
const (
	MaxTiles = 48
)

// TileKind is what a tile of a dashboard shows.
type TileKind string

// The kinds of tiles.
const (
	ValueTile  TileKind = "value"  // the latest value of a sensor
	ChartTile  TileKind = "chart"  // what a sensor has measured
	SwitchTile TileKind = "switch" // an action of a device, to be carried out
	AlarmsTile TileKind = "alarms" // alarms in the room that are not over
)

// Tile is one part of a dashboard. Whoever looks sees only devices that they may see.
type Tile struct {
	Kind   TileKind      `json:"kind"`
	Title  string        `json:"title,omitempty"` // empty: what the device calls it
	Device string        `json:"device,omitempty"`
	Series string        `json:"series,omitempty"` // of a value or chart
	Action string        `json:"action,omitempty"` // of a switch
	Span   time.Duration `json:"span,omitempty"`   // of a chart
	Wide   bool          `json:"wide,omitempty"`   // as wide as the dashboard
}

// Dashboard is what the members of a room have arranged. One that nobody has is empty, of version 0.
type Dashboard struct {
	Room      string
	Version   int64 // counts changes
	Tiles     []Tile
	ChangedBy UserRef
	ChangedAt time.Time
}

// CheckTiles refuses tiles that make no sense.
func CheckTiles(tiles []Tile) ([]Tile, error) {
	if len(tiles) > MaxTiles {
		return nil, InvalidField("/tiles", "a dashboard has at most %d tiles", MaxTiles)
	}
	for i := range tiles {
		if err := checkTile("/tiles/"+strconv.Itoa(i), &tiles[i]); err != nil {
			return nil, err
		}
	}
	return tiles, nil
}

func checkTile(at string, t *Tile) (err error) {
	if t.Title, err = CheckLine(at+"/title", t.Title, maxCapabilityText, false); err != nil {
		return err
	}
	sensor := t.Kind == ValueTile || t.Kind == ChartTile
	switch {
	case !sensor && t.Kind != SwitchTile && t.Kind != AlarmsTile:
		return InvalidField(at+"/kind", "a tile is a value, chart, switch, or alarms")
	case t.Kind != AlarmsTile && !ValidID(DevicePrefix, t.Device):
		return InvalidField(at+"/device", "name the device by its id")
	case t.Kind == AlarmsTile && t.Device != "":
		return InvalidField(at+"/device", "alarms are those of the room")
	case sensor != (t.Series != "") || sensor && !CheckSensorName(t.Series):
		return InvalidField(at+"/series", "a value and a chart name a sensor, and nothing else does")
	case (t.Kind == SwitchTile) != (t.Action != "") || t.Action != "" && !CheckSensorName(t.Action):
		return InvalidField(at+"/action", "a switch names an action, and nothing else does")
	case t.Kind != ChartTile && t.Span != 0, t.Span != 0 && (t.Span < MinChartSpan || t.Span > MaxChartSpan):
		return InvalidField(at+"/span", "a chart covers %d to %d seconds", int(MinChartSpan/time.Second),
			int(MaxChartSpan/time.Second))
	}
	if t.Kind == ChartTile && t.Span == 0 {
		t.Span = DefaultChartSpan
	}
	return nil
}
