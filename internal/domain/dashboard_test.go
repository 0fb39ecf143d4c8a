package domain

import (
	"testing"
	"time"
)

func TestTilesAreChecked(t *testing.T) {
	t.Parallel()
	dev := NewID(DevicePrefix)
	good := []Tile{
		{Kind: ValueTile, Device: dev, Series: "temperature"},
		{Kind: ChartTile, Device: dev, Series: "temperature", Wide: true},
		{Kind: SwitchTile, Device: dev, Action: "fan", Title: "Fan"},
		{Kind: AlarmsTile},
	}
	checked, err := CheckTiles(good)
	if err != nil || checked[1].Span != DefaultChartSpan {
		t.Fatalf("%+v, %v", checked, err)
	}
	for name, bad := range map[string]Tile{
		"no kind":                    {Device: dev, Series: "temperature"},
		"no device":                  {Kind: ValueTile, Series: "temperature"},
		"no sensor":                  {Kind: ChartTile, Device: dev},
		"no name of a sensor":        {Kind: ValueTile, Device: dev, Series: "a b"},
		"no action":                  {Kind: SwitchTile, Device: dev},
		"a value with an action":     {Kind: ValueTile, Device: dev, Series: "x", Action: "fan"},
		"a value with a span":        {Kind: ValueTile, Device: dev, Series: "x", Span: time.Hour},
		"too short":                  {Kind: ChartTile, Device: dev, Series: "x", Span: time.Second},
		"alarms of one device alone": {Kind: AlarmsTile, Device: dev},
	} {
		if _, err := CheckTiles([]Tile{bad}); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := CheckTiles(make([]Tile, MaxTiles+1)); err == nil {
		t.Error("too many tiles are taken")
	}
}
