"""The small shop that a fresh installation opens with."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """A product of the demo shop: price in euro cents, units on hand at the opening."""

    sku: str
    name: str
    description: str
    price: int
    on_hand: int


CURRENCY = "EUR"

CATALOGUE = (
    Item("MUG-BLUE", "Blue mug", "Stoneware, 300 ml, with a glaze like the sea.", 1250, 500),
    Item("MUG-WHITE", "White mug", "The same mug for those who like it plain.", 1150, 500),
    Item("TEAPOT", "Teapot", "Cast iron, holds a litre and keeps it warm.", 4900, 200),
    Item("TEA-EARL-GREY", "Earl Grey", "Loose black tea with bergamot, 100 g.", 890, 1000),
    Item("TEA-SENCHA", "Sencha", "Loose green tea from the first harvest, 100 g.", 1290, 1000),
    Item("BISCUITS", "Oat biscuits", "A tin of twenty-four, baked with butter.", 750, 800),
    Item("HONEY", "Lime blossom honey", "From one village, 250 g.", 980, 400),
    Item("TRAY", "Serving tray", "Oiled oak, 40 by 28 cm.", 3450, 150),
    Item("TOWEL", "Tea towel", "Half linen, woven in stripes.", 1400, 600),
    Item("CANDLE", "Beeswax candle", "Burns for forty hours and smells of summer.", 1690, 300),
    Item("LAST-UNIT", "Hand-thrown bowl", "The potter made one. This is it.", 6800, 1),
    Item("SOLD-OUT", "Porcelain cup", "Back when the kiln is repaired.", 2900, 0),
)
