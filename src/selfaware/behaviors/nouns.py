"""Common nouns for things, from which lists of words are drawn."""

NOUNS: tuple[str, ...] = tuple(
    """
    acorn almond ankle antelope apron armchair artichoke ash asparagus attic avocado axe badge bagel
    balcony balloon bamboo banana bandage banjo banner barley barn barrel basil basin basket bat
    bathtub bead beak bean bear beaver bed bee beetle bell belt bench berry bib bicycle biscuit
    blackboard blanket boat bolt bone bonnet book boot bottle boulder bow bowl box bracelet branch
    bread brick bridge broom brush bubble bucket buckle bullet bus bush butter butterfly button
    cabbage cabin cactus cage cake calendar camel camera canal candle cane cannon canoe cap cape
    caravan carpet carrot cart castle cat cathedral cave cello cement chain chair chalk chandelier
    cheese cherry chicken chimney chisel cigar clay cliff cloak clock cloud clover clown coal coat
    cobweb coconut coffin coin comb comet compass cookie coral cork cot cottage cotton cow crab
    cracker cradle crayon cricket crocodile crow crown crust cup curtain cushion dagger daisy deer
    desk diamond dice dinosaur dish ditch dolphin donkey door dove dragonfly drawer dress drum duck
    dust eagle ear egg elbow elephant elm envelope eraser falcon fan faucet feather fence fern
    ferry fiddle field fig finger fir fireplace fish flag flame flask flea flour flower flute fly
    foam folder football forest fork fossil fountain fox freezer frog fur garden garlic gate
    geyser giraffe glacier glove glue goat goggles goose grape grass gravel guitar gutter hail ham
    hammer hammock handle harbour harp hat hatchet hawk hay hazelnut hedge heel helicopter helmet
    hen hill hinge hippo hive honey hoof hook horn horse hose hotel house iceberg igloo ink iron
    island ivy jacket jaguar jam jar jelly jewel jigsaw jug kangaroo kayak kettle key kite kitten
    knee knife knot lace ladder ladle lake lamb lamp lantern lasso lawn leaf leather lemon lens
    lettuce library lighthouse lily lime lion lizard lobster lock locket log lorry magnet mango map
    maple marble mask mast mattress meadow medal melon mirror mitten mole moon mop mosquito moss
    moth motor mountain mouse mud mug mule muscle mushroom mussel nail napkin necklace needle nest
    net nettle newspaper noodle nose notebook nut oar oat octopus olive onion orange orchard ostrich
    otter oven owl oyster paddle palace palm pan pancake panda paper parachute parrot parsley
    pasta peach peacock peanut pear pearl pebble pelican pen pencil penguin pepper piano pickle
    pigeon pillow pin pine pineapple pipe pizza planet plank plate plough plum pocket pond pony
    pool poppy porch pot potato pram prune puddle pumpkin puppet purse puzzle pyramid quilt rabbit
    raccoon radio radish raft railway rake raspberry raven razor reef rhubarb ribbon rice river
    robot rocket roof rope rose rug ruler saddle sail salmon salt sandal sandwich sausage saw
    scarf scissors screw seal shark shed sheep shelf shell ship shirt shoe shovel shrimp sink
    skateboard skirt slipper snail snake snow soap sock sofa soup spade spider spinach sponge spoon
    squirrel stable stamp star statue stool stove straw strawberry suitcase swan sweater table tail
    tape teapot tent thimble thistle throne tiger tile toast tomato tooth torch towel tower toy
    tractor train tray treasure tree trousers trumpet tulip tunnel turnip turtle umbrella vase vest
    vinegar violin volcano waffle wagon wallet walnut wardrobe wasp watermelon whale wheat wheel
    whistle willow window wolf wool worm yacht zebra zipper
    """.split()
)
"""In the order of the alphabet; a list that is drawn from them depends on the order."""
