/* The language of stories.c: word lists, the most frequent first, and sentences. */
#ifndef STORIES_H
#define STORIES_H

#include <stddef.h>

typedef struct {
    const char *name;
    const char *const *word; /* NULL-terminated */
} list;

#define WORDS(...)                                                                                 \
    (const char *const[]) { __VA_ARGS__, NULL }

static const list lists[] = {
    { "girl", WORDS("Mia", "Anna", "Lily", "Clara", "Ruth", "Nora", "Ida", "Elsa", "Tilda", "Maud",
                    "Rosa", "Vera", "Greta", "Iris", "Hazel", "Beatrix", "Odile", "Petra", "Sanna",
                    "Wilma", "Yara", "Zelda", "Philippa", "Cordelia", "Marguerite") },
    { "boy", WORDS("Tom", "Ben", "Otto", "Sam", "Finn", "Karl", "Hugo", "Leo", "Emil", "Max",
                   "Noah", "Paul", "Oskar", "Jonas", "Albin", "Viktor", "Edgar", "Rufus", "Tobias",
                   "Ulrik", "Quentin", "Bartholomew", "Ludwig", "Sigurd", "Ambrose") },
    { "object", WORDS("ball", "kite", "drum", "lantern", "key", "book", "boat", "whistle", "hat",
                      "umbrella", "basket", "map", "bell", "scarf", "mirror", "clock", "flute",
                      "puppet", "button", "compass", "marble", "ribbon", "spade", "violin",
                      "ladder", "teapot", "candle", "feather", "wagon", "telescope", "accordion",
                      "anchor", "hourglass", "thimble", "sundial", "abacus", "kettle", "locket",
                      "ocarina", "saddle", "trumpet", "barometer", "inkwell", "astrolabe") },
    { "colour", WORDS("red", "blue", "green", "yellow", "white", "black", "brown", "silver",
                      "orange", "purple", "golden", "grey", "pink", "copper", "scarlet", "ivory",
                      "turquoise", "crimson", "amber", "violet", "indigo", "ochre") },
    { "place",
      WORDS("garden", "forest", "kitchen", "barn", "village", "meadow", "market", "attic",
            "harbour", "school", "mill", "river", "hill", "cellar", "bridge", "orchard", "beach",
            "library", "tower", "stable", "well", "bakery", "island", "valley", "cave",
            "lighthouse", "workshop", "castle", "greenhouse", "chapel", "quarry", "vineyard",
            "monastery", "observatory", "swamp", "smithy", "shipyard", "amphitheatre") },
    { "animal", WORDS("dog", "cat", "duck", "rabbit", "horse", "bird", "frog", "goat", "owl",
                      "bear", "hedgehog", "squirrel", "hen", "cow", "turtle", "pig", "crow", "lamb",
                      "beaver", "otter", "donkey", "mole", "swan", "raven", "badger", "snail",
                      "stork", "weasel", "salamander", "magpie", "dormouse", "pelican", "lynx",
                      "marmot", "nightingale", "chameleon") },
    { "elder", WORDS("mother", "father", "grandmother", "grandfather", "aunt", "uncle", "teacher",
                     "neighbour", "godmother", "cousin") },
    { "trade", WORDS("baker", "farmer", "miller", "fisherman", "doctor", "tailor", "carpenter",
                     "painter", "gardener", "blacksmith", "shepherd", "sailor", "cobbler", "weaver",
                     "potter", "clockmaker", "librarian", "musician", "beekeeper", "astronomer",
                     "cartographer", "apothecary", "bookbinder", "glassblower") },
    { "weather", WORDS("rain", "snow", "wind", "sunshine", "fog", "frost", "thunder", "hail",
                       "drizzle", "mist", "sleet") },
    { "foods", WORDS("apples", "cakes", "pears", "nuts", "eggs", "plums", "cherries", "buns",
                     "carrots", "berries", "potatoes", "pancakes", "peaches", "beans", "onions",
                     "mushrooms", "walnuts", "figs", "lemons", "turnips", "radishes", "apricots",
                     "chestnuts", "dumplings", "quinces", "artichokes") },
    { "quality",
      WORDS("kind", "brave", "clever", "curious", "quiet", "careful", "stubborn", "shy", "patient",
            "lazy", "cheerful", "proud", "gentle", "honest", "impatient", "absent-minded",
            "generous", "suspicious", "diligent", "melancholy", "magnanimous") },
    { "size", WORDS("little", "big", "small", "tiny", "large", "huge", "narrow", "enormous",
                    "slender", "gigantic", "minute") },
    { "old", WORDS("old", "new", "beautiful", "broken", "strange", "heavy", "shiny", "dusty",
                   "wooden", "simple", "rusty", "painted", "forgotten", "precious", "crooked",
                   "delicate", "peculiar", "ornate", "threadbare", "venerable") },
    { "feeling", WORDS("happy", "sad", "tired", "afraid", "angry", "glad", "surprised", "hungry",
                       "lonely", "worried", "excited", "ashamed", "relieved", "puzzled", "jealous",
                       "grateful", "bewildered", "disappointed", "triumphant", "forlorn") },
    { "slowly", WORDS("slowly", "quickly", "quietly", "carefully", "suddenly", "gently", "softly",
                      "happily", "loudly", "bravely", "sadly", "eagerly", "patiently", "nervously",
                      "gracefully", "clumsily", "solemnly", "reluctantly", "vigorously") },
    { "went",
      WORDS("went", "walked", "ran", "hurried", "wandered", "climbed", "strolled", "marched",
            "crept", "skipped", "tiptoed", "trudged", "limped", "galloped", "ambled") },
    { "said",
      WORDS("said", "asked", "cried", "whispered", "answered", "shouted", "laughed", "sighed",
            "mumbled", "explained", "promised", "exclaimed", "grumbled", "stammered") },
    { "saw", WORDS("saw", "found", "noticed", "heard", "met", "followed", "discovered", "spotted",
                   "recognised", "encountered") },
    { "liked", WORDS("liked", "loved", "wanted", "needed", "admired", "missed", "remembered",
                     "treasured", "coveted", "cherished") },
    { "skill", WORDS("swim", "read", "sing", "paint", "dance", "whistle", "cook", "ride", "sew",
                     "write", "fish", "climb", "skate", "juggle", "knit", "carve", "row", "count",
                     "draw", "bake", "sail", "yodel", "weld", "embroider") },
    { "thing",
      WORDS("stone", "tree", "door", "window", "table", "box", "fence", "chair", "bed", "wall",
            "bush", "leaf", "log", "path", "lamp", "chest", "shelf", "barrel", "cupboard",
            "chimney", "haystack", "staircase", "wheelbarrow", "curtain", "drawer", "doorstep",
            "beehive", "scarecrow", "trellis", "weathercock", "balustrade") },
    { "time", WORDS("morning", "day", "afternoon", "evening", "night", "summer", "winter", "spring",
                    "autumn", "week", "Sunday", "Monday", "Friday", "Tuesday", "Thursday",
                    "Wednesday", "Saturday") },
    { "material", WORDS("wood", "stone", "paper", "straw", "clay", "glass", "iron", "wool",
                        "leather", "cardboard", "birchbark", "porcelain", "wicker", "bronze") },
    { "plant", WORDS("rose", "bean", "sunflower", "apple tree", "oak", "tulip", "pumpkin", "daisy",
                     "willow", "lily", "thistle", "cactus", "poppy", "hazel", "foxglove",
                     "chrysanthemum", "rhododendron", "lavender", "hyacinth") },
    { "number", WORDS("two", "three", "four", "five", "seven", "six", "ten", "nine", "eight",
                      "twelve", "twenty", "thirty", "a hundred", "forty", "eleven", "fifty") },
    { "sky", WORDS("sun", "moon", "sky", "cloud", "star", "wind", "rainbow", "horizon", "comet") },
    { "shone", WORDS("shone", "waited", "slept", "glittered", "vanished", "hid", "trembled",
                     "lingered", "flickered", "smouldered") },
    { "part", WORDS("hand", "foot", "nose", "arm", "ear", "knee", "finger", "elbow", "shoulder",
                    "ankle", "chin", "wrist", "eyebrow") },
    { "sound",
      WORDS("song", "noise", "voice", "cry", "bark", "knock", "laugh", "whisper", "rattle",
            "splash", "echo", "melody", "creak", "rustle", "thud", "hubbub", "cacophony") },
    { NULL, NULL },
};

static const char *const openings[] = {
    "once {upon a time |}there was @ $q $g named $n{, who lived near the $p| who lived with $r $k "
    "by "
    "the $p| and $e lived in @ <size> house by the $p}. $n had @ $c $o{, and $e loved it very "
    "much| "
    "that $e took everywhere|}.",
    "$n was @ $q $g. {one <time>|every <time>|last <time>} $e <went> to the $p with $r $k{, the "
    "$t,|} "
    "because {$e <liked> @ $c $o|the {<weather>|<time>} was so {long|cold|fine|terrible}}.",
    "{in a|in @ <size>} house by the $p lived @ $q $g. {$r name was $n|everyone called $m $n}. $r "
    "best "
    "friend was @ <quality> $G {called|named} $N, who <liked> <foods>.",
    "it was @ {cold|warm|dark|bright|fine|windy|peaceful} <time>. $n and $N sat in the $p and "
    "{talked "
    "about the $a|played with @ $c $o|ate $F|listened to the <weather>|counted the <thing>s}.",
    "long ago @ $q $t lived by the $p with {two|three|four|five} children. the {youngest|oldest|"
    "second} was called $n{, and nobody was as $q as $e|}. $n owned nothing but @ $c $o.",
    "\"where is {my $c $o|$N|my $k|the $a}?\" {asked|cried|whispered} $n. it was {early|late} in "
    "the "
    "<time>, and $e stood in the $p {all alone|beside @ <thing>|under @ <size> tree}.",
};
enum { OPENINGS = sizeof openings / sizeof *openings };

static const char *const asides[] = {
    "the <sky> <shone> {over|behind|above} the $p.",
    "{outside|far away|somewhere} there was @ {soft|loud|<old>} <sound>, but {nobody|only $N|only "
    "the "
    "$a} {heard|noticed} it.",
    "there was $w all <time>, so {the <thing> was wet|the paths were empty|$n wore @ <colour> {hat|"
    "coat|scarf}|nobody <went> to the $P}.",
    "$n felt <feeling>{, and $r <part> hurt| and a bit <feeling>|}.",
    "\"{I am|are you|we are} <feeling>{|, I think|, too}{,\" $e <said>.|,\" <said> $N.}",
    "@ <animal> sat {on|under|behind|beside} the <thing> and {looked at|listened to|<liked>} "
    "{$n|$m|$N}.",
    "{on the way|at the <thing>|near the $P} they <saw> @ <old> <object>{ of <material>|} {and @ "
    "<animal>|and nothing else|that belonged to the <trade>}.",
    "$N {was not so sure|smiled|laughed|shook $R head|said nothing|nodded <slowly>}.",
    "\"{never mind|wait for me|look|listen|hurry up|be careful}, $n,\" <said> $N <slowly>. \"the "
    "<animal> "
    "is {behind|under|near} the <thing>.\"",
    "the <trade> had <number> <animal>s and <number> <foods>, and $e <slowly> counted them all.",
    "$r $k used to say that {@ $q $g {never cries|always wins|needs a friend}|the $p is older than "
    "the "
    "$P|<weather> in the <time> brings luck}.",
    "{$n|$N|the <animal>} {scratched|rubbed|touched} {the <thing>|the <old> <object>} <slowly>.",
    "the <animal>s were <feeling>, but the <animal> was <feeling>.",
    "inside the <thing> lay @ <size> <object> made of <material>.",
};
enum { ASIDES = sizeof asides / sizeof *asides };

static const char *const lost[] = {
    "one <time> the $c $o was gone{!|.} $n looked {under the <thing>|behind the <thing>|in the "
    "<thing>}, but {it was not there|there was only @ <old> <object>}.",
    "\"{have you|has anyone} seen my $c $o?\" $e asked {$N|the $t|$r $k}. \"no,\" {said|answered} "
    "{$N|"
    "the $t|$r $k}, \"but {I saw the $a {take|carry} something to the $P|you were in the $P "
    "yesterday|ask the $a in the $P}.\"",
    "so $n and $N <went> <slowly> to the $P. {it was dark there|the <weather> was {cold|loud} "
    "there|"
    "they looked behind every <thing>}.",
    "{at last|after a long time|then} $N {shouted|cried|called}: \"here is {your $o|something "
    "$c}!\" the "
    "$a {was sleeping on|was playing with|had hidden} it{ behind the <thing>| under the <thing>|}.",
    "$n {hugged|thanked|kissed} $N and took the $c $o home{ from the $P|}. {$e never lost it "
    "again|the "
    "$a came with $m|from then on it lay on the <thing>}.",
    NULL,
};
static const char *const sharing[] = {
    "$n had $1 $F in {@ <colour> basket|a bag|$r pockets}. {in the $P|by the <thing>|on the way} "
    "$e "
    "found $2 more. now $e had $3 $F.",
    "{then|soon|in the <time>} $e met $N, who {was hungry|had nothing to eat|had lost everything}. "
    "\"{may|"
    "can} I have some{ of your $F|}?\" asked $N.",
    "$n thought {about it|for a while|of $r $k}. then $e gave $N $4 of the $3 $F. $5 {was|were} "
    "left for "
    "$m.",
    "\"thank you,\" said $N. \"{you are|how} $q{!|, $n.|.}\" {they ate together|they sat down and "
    "ate} {"
    "by the $p|under the <thing>|until the <sky> <shone>}.",
    "{the next day|a week later|years later} $N brought $n {the $c $o|@ <old> <object>|a cake}, "
    "because {"
    "$E had not forgotten the $4 $F|friends share what they have}.",
    NULL,
};
static const char *const helping[] = {
    "{by|near|behind} the <thing> {$e|$n} <saw> @ $a. it was <feeling>, because its <part> was "
    "{hurt|"
    "broken|stuck under @ <thing>}.",
    "\"{do not be afraid|don't worry|hush}, {little|poor} $a,\" {said|whispered} $n. $e "
    "{fetched|called} "
    "the $t, who lived {in|by} the $P.",
    "the $t {looked at|bandaged|cleaned} the <part>{ <slowly>|} and said: \"it needs "
    "{rest|water|$F|"
    "warmth} for <number> days.\"",
    "for <number> days $n {brought|gave} the $a $F and {sang to it|sat beside it|read to it from @ "
    "<old> book}. $N came{ too|, too, and was <feeling>|}.",
    "then the $a {could walk again|got up|was well}. {it|the $a} {ran to the $P|licked $r "
    "<part>|stayed "
    "with $n}, and {it was never <feeling> again|everyone in the $p was glad}.",
    NULL,
};
static const char *const storm[] = {
    "{suddenly|in the <time>|at noon} the <sky> {turned|became} {dark|$c|black}. {there was|then "
    "came} "
    "thunder, and the <weather> {broke|shook|bent} the <thing>.",
    "$n {was afraid|did not know what to do|thought of $N, who was still in the $P}. \"{we "
    "must|let us} go "
    "{home|to the $p|inside}!\" cried $N.",
    "they {hid|waited} {in the $p|under the <thing>|behind the <thing>} with @ $a and {told each "
    "other "
    "stories|ate $1 $F|held the $c $o}. $N was <feeling>, but $n sang @ <old> <sound>.",
    "after {an hour|a while|the $w} it became quiet. the <thing> was broken, the $p was {wet|full "
    "of "
    "leaves|white}, and {the bridge|the <thing>} was gone.",
    "the $t {came with @ lantern|mended the <thing>|thanked them}, because {nobody was hurt|they "
    "had "
    "saved the $a|$n had been so $q}.",
    NULL,
};
static const char *const learning[] = {
    "$n wanted to {learn to|} <skill.1>, but {$e|everyone said that $e} {could not|was too "
    "<size>|was too "
    "$q}. \"{I will|nobody can} teach {you|$m},\" said {$r $k|the $t}.",
    "every <time> $e <went> to the $p {and|, where $e} tried to <skill.1>. {first|at first} $e "
    "{fell|"
    "failed|cried|hurt $r <part>}. {$N laughed|the $a watched|$r $k waited <slowly>}.",
    "\"{try again|once more|don't give up},\" said {$N|the $t|$r $k}. \"{I|even I} needed <number> "
    "{weeks|"
    "days|years} before I could <skill.1>.\"",
    "after $1 {weeks|days} $n could <skill.1> {a little|quite well}, and after $2 more, which "
    "makes $3, $e "
    "could <skill.1> better than {$N|the $t|anyone in the $P}.",
    "{now|since then} $e {teaches|helps} $N, who wants to <skill.1>, too. \"{it is easy|be "
    "patient},\" says "
    "$n, {and $r $k smiles|and the $a listens}.",
    NULL,
};
static const char *const race[] = {
    "{one|that} <time> there was @ race from the $p to the $P. the prize was {the $c $o|@ <old> "
    "<object>|$3 $F}.",
    "$N was {fast|strong|proud}, but $n was $q. \"{you will never|I shall} win,\" {said|laughed} "
    "$N.",
    "they ran past the <thing> and over the <thing>. $N was {far ahead|first}, but then $E {fell "
    "over|"
    "stumbled over|stopped for} @ $a and hurt $R <part>.",
    "$n could have {won|run on}. but $e {stopped|turned back} and {carried|helped|comforted} $N. "
    "together "
    "they {reached|came to} the $P, {last of all|when the <sky> <shone>}.",
    "the $t gave {both of them the $c $o|each of them @ <colour> <object>|them the prize}, because "
    "@ {friend|"
    "good heart} is worth more than {winning|@ prize}.",
    NULL,
};
static const char *const building[] = {
    "$n and $N {decided to|wanted to} build @ {house|boat|bridge|tower|raft|nest|fence} of "
    "<material.1>"
    "{ for the $a|}.",
    "$n brought $1 {boards|pieces of <material.1>} from the $p, and $N brought $2 from the $P. "
    "{together "
    "they had $3|that made $3}.",
    "\"{hold this|give me the hammer|not so fast},\" {said|called} $n. they "
    "{worked|hammered|sawed} all "
    "<time>, {although there was $w|while the $a slept}.",
    "$4 of the $3 broke, so only $5 {was|were} left. {$N was <feeling>|$n sighed}. then the $t "
    "{lent|"
    "showed} them @ <old> <object> and {everything fitted|they finished it}.",
    "they painted it $c and put the $o {on top|inside|beside it}. {it stands there still|even the "
    "<weather> "
    "could not break it}.",
    NULL,
};
static const char *const mistake[] = {
    "$n {broke|lost|spoiled} {$N's|$r $k's} $c $o{ by accident|}. $e {hid|buried} the pieces "
    "{under the "
    "<thing>|in the $P|behind the <thing>} and said nothing.",
    "\"who {has broken|took} my $o?\" asked {$N|$r $k}. \"{the $a|the <weather>|I don't know},\" "
    "{lied|"
    "answered} $n, and $r <part> became {red|hot|cold}.",
    "{that night|in the <time>} $n could not sleep. $e thought of the $c $o {under the <thing>|in "
    "the $P} "
    "and felt {ashamed|sad|<feeling>}.",
    "in the morning $e {told the truth|said: \"it was me\"|confessed everything}. {\"I am sorry,\" "
    "$e said|$e "
    "cried <slowly>}.",
    "\"{I know|thank you for telling me|it was only @ $o},\" said {$N|$r $k}. together they "
    "{mended it|"
    "carried it to the $t|made @ new one of <material>}, and $n {never lied again|felt light}.",
    NULL,
};
static const char *const trade[] = {
    "$n took @ $a to the market{ in the $P|}, because {$r $k needed money|there was no bread "
    "left}. on the "
    "way $e met the $t.",
    "\"I will give you {$1 $F|@ $c $o} for your $a,\" said the $t. {$n agreed|$n was $q and "
    "agreed}. so now "
    "$e had {no $a|something new}.",
    "then $e met @ <trade.1>, who <liked> what $e had. \"{change|trade} with me,\" said the "
    "<trade.1>. \"you "
    "shall have @ <old> <object.1>.\"",
    "with the <object.1> $n came to the $p, where $N {sat and cried|was waiting}. $N {needed|was "
    "looking "
    "for} just such @ <object.1>, and gave $m {$2 coins|@ <colour> {horse|goat|cow}} for it.",
    "so $n came home {<feeling>|rich|late}. \"you are {a fool|very clever},\" said $r $k, and "
    "{they laughed|"
    "the <trade.1> laughed|they ate $F}.",
    NULL,
};
static const char *const riddle[] = { "in the $P sat @ <size> $a that could talk. \"answer {my "
                                      "riddle|me},\" it said, \"or {stay here|you shall "
                                      "not pass|give me your $c $o}.\"",
                                      "\"{what has|who has} {teeth but does not bite|hands but no "
                                      "arms|a bed but never sleeps|a neck but no "
                                      "head}?\" {$n thought and thought|$N was afraid}.",
                                      "{$n looked at|$n remembered} {the <thing>|the $c $o|what $r "
                                      "$k had said}. then $e {laughed|knew}. \"{a "
                                      "comb|a clock|a river|a bottle},\" $e said.",
                                      "\"{right|you are $q|nobody knew that before},\" said the $a "
                                      "{<slowly>|and bowed}. it {opened the door|"
                                      "gave $m $1 $F|told $m the way to the $p}.",
                                      "{$N never understood|even the $t did not know} how $e had "
                                      "{guessed it|known}, but the $a {became their "
                                      "friend|waits in the $P still}.",
                                      NULL };
static const char *const planting[] = { "$r $k gave $n @ seed of @ <plant.1>. $e {dug a hole|put "
                                        "it in @ pot of <material>} {in|near} the $p and "
                                        "{watered it|waited}.",
                                        "{after|for} $1 days {nothing happened|there was only "
                                        "earth}. \"{be patient|it sleeps},\" said $r $k. $n "
                                        "{sang to it|watched it|asked the $t}.",
                                        "after $2 more days, on day $3, there was @ "
                                        "{tiny|green|<size>} leaf. the $a wanted to eat it, so $n "
                                        "{built @ fence|called $N|sat beside it all <time>}.",
                                        "{there was|then came} $w, {but|and} the <plant.1> grew "
                                        "and grew. it became as {high|big} as {$n|the "
                                        "<thing>|the $t's house}.",
                                        "in <time> everybody came to see the <plant.1> of $n. {$N "
                                        "drew it|the $t bought $4 of its seeds|the $a "
                                        "slept under it}, and $n was proud.",
                                        NULL };
static const char *const letter[] = {
    "a letter came for $n. it said: \"{dear|my dear} $n, {I am|we are} {ill|alone|far away} in the "
    "$P. please "
    "bring {the $c $o|$1 $F}. {yours|your friend}, $N.\"",
    "$n {packed|took} {the $c $o|$1 $F} and <went> off. the way was long: {first past the <thing>, "
    "then "
    "through the {forest|valley|swamp}|over the hill and across the river}.",
    "@ $a {showed $m the way|asked for food|stood in the way}. \"where are you going?\" it asked. "
    "\"to $N, who "
    "{is ill|waits for me} in the $P,\" said $n.",
    "when $e came to the $P, $N {lay in bed|sat by the window|was asleep}. \"{you came|at last}!\" "
    "{cried|"
    "whispered} $N. {$n put down the $o|they ate and talked until <time>}.",
    "{soon|<number> days later} $N was {well|happy} again, and they <went> back to the $p{ "
    "together|, where $r "
    "$k was waiting}.",
    NULL,
};
static const char *const *const plots[] = { lost,     sharing, helping, storm,  learning, race,
                                            building, mistake, trade,   riddle, planting, letter };
enum { PLOTS = sizeof plots / sizeof *plots };

static const char *const endings[] = {
    "and {that is the end|they all slept well|nobody was <feeling> any more}.",
    "{that evening|at home} $n told $r $k about {everything|$N|the $a|the $P}. \"{good night|well "
    "done|I am "
    "proud of you}, $n,\" said $r $k.",
    "{from that day on|ever after} $n and $N were {the best of friends|never apart}, and the $c $o "
    "{hung on "
    "the wall|reminded them of the $p|was never lost again}.",
    "$n {never forgot|often remembered} that <time>. {\"@ $q $g,\" said the $t, \"is worth $3 "
    "{coins|$F}.\"|"
    "the $a did not, either.}",
    "the <sky> <shone>, the $a slept, and in the $p it was quiet.",
};
enum { ENDINGS = sizeof endings / sizeof *endings };

#endif
