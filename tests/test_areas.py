"""Tables of areas: sums worked by hand."""

from geosim.publish.areas import (
    ChangedPlace,
    area_tables,
    class_colour,
    class_label,
    from_to_table,
    kinds_of,
)


def place(square_metres, kind="changed"):
    return ChangedPlace(area_px=1, area_m2=square_metres, kind=kind)


def plain(table):
    return [
        [text.replace("\u00a0", " ").replace("\u202f", " ") for text in row]
        for row in table.rows
    ]


def test_without_classes_there_is_a_table_by_size_alone():
    (table,) = area_tables([place(50_000.0), place(2_000.0)], 100_000.0)
    assert table.caption == "By size of the place"
    assert plain(table) == [
        ["1 to 10 ha", "1", "5.00 ha", "96.15 %"],
        ["below 1 ha", "1", "0.200 ha", "3.85 %"],
    ]


def test_sizes_are_written_out():
    sizes = [2e-6, 3e-5, 4e-4, 5e3, 6e6, 7e9]  # hectares
    for size, name in zip(
        sizes,
        [
            "below 0.00001 ha",
            "below 0.0001 ha",
            "below 0.001 ha",
            "below 10,000 ha",
            "below 10,000,000 ha",
            "below 10,000,000,000 ha",
        ],
        strict=True,
    ):
        (table,) = area_tables([place(1e4 * size)], None)
        assert plain(table)[0][0] == name
    pixels = [ChangedPlace(area_px=number) for number in (3_000_000, 20_000)]
    (table,) = area_tables(pixels, None)
    assert plain(table)[0][0] == "1,000,000 to 10,000,000 px"


def test_sizes_are_five_at_most_and_the_smallest_together():
    places = [place(10.0**power * 2) for power in range(8)]
    *_, table = area_tables(places, None)
    names = [row[0] for row in plain(table)]
    assert names == [
        "1,000 to 10,000 ha",
        "100 to 1,000 ha",
        "10 to 100 ha",
        "1 to 10 ha",
        "below 1 ha",
    ]
    assert [row[1] for row in table.rows] == ["1", "1", "1", "1", "4"]


def test_a_size_on_the_border_belongs_to_the_larger():
    *_, table = area_tables([place(10_000.0), place(9_999.0)], None)
    assert [row[:2] for row in plain(table)] == [
        ["1 to 10 ha", "1"],
        ["below 1 ha", "1"],
    ]


def test_by_class_in_the_order_of_the_legend():
    places = [
        place(30_000.0, "water_gain"),
        place(10_000.0),
        place(40_000.0, "forest_loss"),
        place(20_000.0, "forest_loss"),
    ]
    table, _ = area_tables(places, 1_000_000.0)
    assert plain(table) == [
        ["forest loss", "2", "6.00 ha", "6.00 %"],
        ["water gain", "1", "3.00 ha", "3.00 %"],
        ["changed", "1", "1.00 ha", "1.00 %"],
        ["all", "4", "10.0 ha", "10.00 %"],
    ]
    assert kinds_of(places) == ["forest_loss", "water_gain", "changed"]


def test_pixels_without_a_crs():
    places = [ChangedPlace(area_px=n, kind="forest_loss") for n in (50, 150)]
    by_class, by_size = area_tables(places, 2000.0)
    assert plain(by_class)[0] == ["forest loss", "2", "200 px", "10.00 %"]
    assert plain(by_size)[0] == ["100 to 1,000 px", "1", "150 px", "75.00 %"]


def test_no_change_no_tables():
    assert area_tables([], 1000.0) == []
    assert from_to_table([]) is None


def test_from_what_to_what():
    def row(before, after, square_metres):
        return {
            "from_class": before,
            "to_class": after,
            "area_m2": square_metres,
            "area_px": 1,
        }

    table = from_to_table(
        [
            row("bare", "water", 5_000.0),
            row("forest", "bare", 20_000.0),
            row("forest", "bare", 10_000.0),
            row("forest", "marsh", 10_000.0),
        ]
    )
    assert table.head == ("from", "to water", "to bare ground", "to marsh")
    assert plain(table) == [
        ["forest", "", "3.00 ha", "1.00 ha"],
        ["bare ground", "0.500 ha", "", ""],
    ]


def test_classes_that_are_not_known():
    assert class_label("new_thing") == "new thing"
    assert class_colour("new_thing") == (115, 115, 115)
    assert class_label("changed") == "changed"
    assert kinds_of([place(1.0, "zebra"), place(1.0, "forest_gain")]) == [
        "forest_gain",
        "zebra",
    ]
