using System.Globalization;

namespace Llama2.DemoModel;

/// <summary>Composes dialogues from moves — to ask, offer, refuse, propose, correct, … — over phrases that are put together freely.</summary>
internal sealed class ConversationWriter(Lexicon lexicon)
{
    public const int MinTurns = 2;
    public const int MaxTurns = 13;

    // What a dialogue is about at heart, with its weight.
    private static readonly (string Kind, int Weight, Action<Conversation> Write)[] _kinds =
    [
        ("favour", 22, Favour), ("joint", 20, Joint), ("offer", 7, Offer), ("plan", 10, Plan), ("news", 11, News), ("absence", 7, Absence), ("information", 6, Information),
        ("reminder", 4, Reminder), ("invitation", 8, Invitation), ("move", 5, Move), ("borrowing", 6, Borrowing), ("choice", 4, Choice), ("gift", 4, Gift),
        ("done", 7, Done), ("delay", 5, Delay), ("apology", 5, Apology), ("whereabouts", 4, Whereabouts), ("price", 3, Price),
        ("status", 4, Status), ("opinion", 4, Opinion),
    ];

    private readonly CastPicker _cast = new(lexicon);

    public static IEnumerable<string> Kinds => _kinds.Select(kind => kind.Kind);

    public DialogueSample Write(CorpusSplit split, RandomSource random)
    {
        while (true)
        {
            (string kind, _, Action<Conversation> write) = DrawKind(random);
            Speaker[] cast = _cast.Draw(split, random);
            Conversation conversation = new(lexicon, cast, random);
            Begin(conversation);
            write(conversation);
            End(conversation);
            DialogueSample sample = new(conversation.Dialogue, conversation.Summary, kind, [.. cast.Select(speaker => speaker.Name)], conversation.Values);
            if (conversation.TurnCount is >= MinTurns and <= MaxTurns && TimePhrases.Agree(sample.Values.Values)
                && HeldOut.Belongs(DialogueWriter.ValuesKey(sample), split))
            {
                return sample;
            }
        }
    }

    private static (string Kind, int Weight, Action<Conversation> Write) DrawKind(RandomSource random)
    {
        int rest = random.Next(_kinds.Sum(kind => kind.Weight)), index = 0;
        while (rest >= _kinds[index].Weight)
        {
            rest -= _kinds[index++].Weight;
        }

        return _kinds[index];
    }

    private static void Begin(Conversation c)
    {
        if (c.Chance(0.2))
        {
            c.Say(0, "hello");
            c.Say(1, "hello-back");
        }

        if (c.Chance(0.12))
        {
            int first = c.LastSpeaker == 1 ? 0 : 1;
            c.SmallTalk("chatter", first, 1 - first);
            if (first == 0 && c.Chance(0.7))
            {
                c.Say(0, "to-business");
            }
        }
    }

    private static void End(Conversation c)
    {
        if (c.Chance(0.25))
        {
            Extra(c);
        }

        int next = c.LastSpeaker == 0 ? 1 : 0;
        if (c.Chance(0.08))
        {
            c.SmallTalk("chatter", next, 1 - next);
        }
        else if (c.Chance(0.4))
        {
            c.Say(next, "close");
            if (c.Chance(0.2))
            {
                c.Say(1 - next, "close");
            }
        }
    }

    /// <summary>A second thing that somebody will do.</summary>
    private static void Extra(Conversation c)
    {
        int speaker = c.LastSpeaker == 0 ? 1 : 0, other = 1 - speaker;
        c.Draw("V", "favour", speaker);
        switch (c.Random.Next(3))
        {
            case 0:
                c.Say(speaker, "also-ask");
                c.Say(other, "accept");
                c.Will(other, "V", details: false);
                break;
            case 1:
                c.Draw("V", "favour", other);
                c.Say(speaker, "also-offer");
                c.Say(other, "thank");
                c.Will(speaker, "V", details: false);
                break;
            default:
                c.Draw("V", "favour", other);
                c.Say(speaker, "also-third");
                c.Will(2, "V", details: false);
                break;
        }
    }

    /// <summary>A wants B to do something.</summary>
    private static void Favour(Conversation c)
    {
        c.Draw("V", "favour");
        int course = c.Random.Next(100);
        if (course < 62)
        {
            bool mistaken = c.Chance(0.06);
            c.DrawDetails(0.65, 0.45, mistaken ? 0 : 0.12, open: true);
            if (mistaken)
            {
                c.Copy("V", "V2");
                c.Draw("V", "favour");
                c.Say(0, "ask-other");
                c.Open(0, "rather");
            }
            else
            {
                c.Open(0, c.Chance(0.2) ? ["because-first", "ask"] : ["ask"]);
            }

            if (!mistaken && c.Chance(0.12))
            {
                c.Draw("R", "excuse", 0);
                c.Settle(1, 0, "accept");
                c.Say(0, "explain");
                c.Tell("sum-will-because", 1);
                return;
            }

            if (c.Chance(0.15))
            {
                c.Draw("V2", "favour", 1);
                c.Settle(1, 0, "accept");
                c.Say(1, "in-return");
                c.Say(0, "agree-deal");
                c.Will(1, "V");
                c.Will(0, "V2", details: false);
                return;
            }

            c.Settle(1, 0, "accept");
            c.Will(1, "V");
            if (c.LastSpeaker == 1 && c.Chance(0.5))
            {
                c.Say(0, "thank");
            }

            return;
        }

        c.DrawDetails(0.65, 0.4, 0.08, open: false);
        c.Draw("R", "excuse", 1);
        c.Open(0, "ask");
        c.Say(1, "refuse");
        if (course < 72)
        {
            c.Say(1, "name-third");
            c.Say(0, "ask-third");
            c.Tell("sum-refused", 1);
            c.Tell("sum-asks-third");
        }
        else if (course < 80 && !c.Means("V", "<me>"))
        {
            c.Say(0, "do-myself");
            c.Tell("sum-refused", 1);
            c.Will(0, "V", details: false);
        }
        else if (course < 90)
        {
            c.SayTo(2, 0, "step-in");
            c.Say(0, "thank-third");
            c.Will(2, "V");
            c.Tell("sum-cannot-because", 1);
        }
        else
        {
            c.Say(0, "never-mind");
            c.Tell("sum-refused", 1);
        }
    }

    /// <summary>A wants to do something together.</summary>
    private static void Joint(Conversation c)
    {
        c.Draw("V", "joint");
        int course = c.Random.Next(100);
        if (course < 75)
        {
            c.DrawDetails(0.8, 0.65, 0.4, open: true);
            bool three = c.Chance(0.2);
            c.Open(0, "propose-joint");
            c.Settle(1, 0, "accept-joint");
            if (three)
            {
                int next = c.LastSpeaker == 0 ? 1 : 0;
                if (c.Chance(0.5))
                {
                    c.SayTo(2, 0, "join-in");
                    c.Say(0, "bring-third-ok");
                }
                else
                {
                    c.Say(next, "bring-third");
                    c.Say(1 - next, "bring-third-ok");
                }
            }

            c.Will(three ? [0, 1, 2] : [0, 1], "V");
            if (c.Chance(0.3))
            {
                int next = c.LastSpeaker == 0 ? 1 : 0;
                c.Draw("V2", "contribution", next);
                c.Say(next, "contribute");
                c.Will(next, "V2", details: false);
                if (c.Chance(0.4))
                {
                    c.Draw("V2", "contribution", 1 - next);
                    c.Say(1 - next, "contribute-too");
                    c.Will(1 - next, "V2", details: false);
                }
            }

            return;
        }

        c.DrawDetails(0.8, 0.4, 0.15, open: false);
        c.Draw("R", "excuse", 1);
        c.Open(0, "propose-joint");
        c.Say(1, "refuse");
        if (course < 85)
        {
            c.Say(0, "too-bad");
            c.Tell("sum-refused-joint", 1);
        }
        else if (course < 93)
        {
            c.Say(0, "go-with-third");
            c.Tell("sum-with-third");
            c.Tell("sum-cannot-because", 1);
        }
        else
        {
            c.SayTo(2, 0, "join-instead");
            c.Say(0, "agree-third");
            c.Will([0, 2], "V");
            c.Tell("sum-cannot-because", 1);
        }
    }

    /// <summary>A wants to do something for B.</summary>
    private static void Offer(Conversation c)
    {
        c.Draw("V", "favour", 1);
        if (c.Chance(0.75))
        {
            c.DrawDetails(0.6, 0.45, 0.1, open: true);
            c.Open(0, "offer");
            c.Settle(1, 0, "accept-offer");
            c.Will(0, "V");
            return;
        }

        c.DrawDetails(0.4, 0.2, 0, open: false);
        c.Open(0, "offer");
        c.Say(1, "decline-offer");
        c.Say(0, "see");
        c.Will(2, "V");
    }

    /// <summary>A tells what A is going to do.</summary>
    private static void Plan(Conversation c)
    {
        string list = c.Chance(0.55) ? "own-plan" : c.Chance(0.5) ? "favour" : "joint";
        c.Draw("V", list, list == "favour" ? 1 : 0);
        c.DrawDetails(0.75, 0.4, 0.1, open: true);
        if (c.Chance(0.35))
        {
            c.Say(1, "ask-plans");
            c.Open(0, "answer-plans");
        }
        else
        {
            c.Open(0, "tell-plan");
        }

        c.Settle(1, 0, "react-plan");
        if (c.Chance(0.25))
        {
            int next = c.LastSpeaker;
            if (next == 1)
            {
                c.Say(0, "come-along");
                c.Say(1, "accept-joint");
            }
            else
            {
                c.Say(1, "may-come");
                c.Say(0, "may-come-ok");
            }

            c.Will([0, 1], "V");
            return;
        }

        c.Will(0, "V");
        if (c.Chance(0.3))
        {
            c.Draw("V2", "favour", 0);
            if (c.LastSpeaker == 0)
            {
                c.Say(1, "help-with");
                c.Say(0, "thank");
                c.Will(1, "V2", details: false);
            }
        }
    }

    /// <summary>Something happened to A; often B helps.</summary>
    private static void News(Conversation c)
    {
        bool bad = c.Chance(0.6);
        c.Draw("N", bad ? "bad-news" : "good-news", 0);
        if (c.Chance(0.25))
        {
            c.Say(1, "ask-news");
        }

        bool third = c.Chance(0.15);
        if (third)
        {
            c.Draw("N", bad ? "bad-news" : "good-news", 2);
        }

        c.Say(0, third ? "tell-news-third" : "tell-news");
        c.Say(1, bad ? "react-bad" : "react-good");
        c.Tell(third ? "sum-news-third" : "sum-news", third ? 2 : 0);
        if (c.Chance(0.7))
        {
            c.DrawDetails(0.5, 0.3, 0.1, open: true);
            if (bad)
            {
                c.Draw("V", third ? "help-third" : "help", 0);
                c.Open(1, "offer-help");
                c.Settle(0, 1, "accept-offer");
                c.Will(1, "V");
            }
            else
            {
                c.Draw("V", "celebrate", 0);
                c.Open(1, "propose-joint");
                c.Settle(0, 1, "accept-joint");
                c.Will([0, 1], "V");
            }
        }
        else if (c.Chance(0.6))
        {
            c.Draw("V", bad ? "repair-own" : "own-plan", 0);
            c.DrawDetails(0.5, 0.2, 0, open: false);
            c.Open(0, "next-step");
            c.Will(0, "V");
        }
        else
        {
            c.Say(0, bad ? "sigh" : "thank");
        }
    }

    /// <summary>A can't come.</summary>
    private static void Absence(Conversation c)
    {
        c.Draw("E", "event", 1);
        c.Draw("R", "excuse", 0);
        c.DrawDetails(0.7, 0.2, 0, open: false);
        c.Open(0, "cancel");
        c.Tell("sum-cancel", 0);
        if (c.Chance(0.5))
        {
            c.Say(1, "too-bad");
            if (c.Chance(0.35))
            {
                c.Draw("V2", "favour", 0);
                c.Say(1, "help-with");
                c.Say(0, "thank");
                c.Will(1, "V2", details: false);
            }

            return;
        }

        c.Draw("d2", "day");
        c.Say(1, "understand", "another-day");
        if (c.Chance(0.3))
        {
            c.Draw("d2", "day");
            c.Say(0, "rather-day");
            c.Say(1, "agree-short");
        }
        else
        {
            c.Say(0, "agree-short");
        }

        c.Tell("sum-another-day");
    }

    /// <summary>A asks where or when something is.</summary>
    private static void Information(Conversation c)
    {
        int teller = c.Chance(0.15) ? 2 : 1;
        if (c.Chance(0.4))
        {
            c.Draw("O", "obj-the", 0);
            c.Draw("S", "spot", 0);
            c.Say(0, "ask-where");
            if (teller == 2)
            {
                c.Say(1, "no-idea");
            }

            c.SayTo(teller, 0, "tell-where");
            c.Say(0, "thank");
            c.Tell("sum-where");
            return;
        }

        c.Draw("E", "event", 0);
        c.DrawDetails(1, 0.6, 0.5, open: false);
        c.Say(0, "ask-event");
        if (teller == 2)
        {
            c.Say(1, "no-idea");
        }

        c.Open(teller, "tell-event");
        c.Tell("sum-event");
        if (c.Chance(0.4))
        {
            c.Draw("O", "bring-obj", 0);
            c.Say(0, "ask-bring");
            c.SayTo(teller, 0, "tell-bring");
            c.Say(0, "agree-short");
            c.Tell("sum-bring-a", 0);
        }
        else
        {
            c.Say(0, "thank");
        }
    }

    /// <summary>Something that B does, for A or for B.</summary>
    private static bool DrawTaskOfSecond(Conversation c)
    {
        bool isFavour = c.Chance(0.65);
        c.Draw("V", isFavour ? "favour" : "own-plan", isFavour ? 0 : 1);
        return isFavour;
    }

    private static void Reminder(Conversation c)
    {
        DrawTaskOfSecond(c);
        c.DrawDetails(0.7, 0.4, 0, open: false);
        c.Open(0, "remind");
        c.Say(1, "reminded");
        c.Will(1, "V");
    }

    /// <summary>A has guests.</summary>
    private static void Invitation(Conversation c)
    {
        c.Draw("E", "own-event", 0);
        bool refused = c.Chance(0.25);
        c.DrawDetails(0.9, 0.5, 0.25, open: !refused);
        if (refused)
        {
            c.Draw("R", "excuse", 1);
            c.Open(0, "invite");
            c.Say(1, "refuse");
            c.Say(0, "too-bad");
            c.Tell("sum-not-coming", 1);
            return;
        }

        c.Open(0, "invite");
        c.Settle(1, 0, "accept-joint");
        c.Tell("sum-coming");
        c.Draw("O", "bring-obj", 1);
        if (c.Chance(0.6))
        {
            if (c.LastSpeaker != 1 && c.Chance(0.5))
            {
                c.Say(1, "ask-bring");
                c.Say(0, "tell-bring");
                c.Say(1, "agree-short");
            }
            else
            {
                c.Say(1, "will-bring");
            }

            c.Tell("sum-bring-b", 1);
            if (c.Chance(0.35))
            {
                c.Draw("T", "bring-obj", 2);
                c.Say(0, "third-brings");
                c.Tell("sum-bring-c", 2);
            }
        }
    }

    /// <summary>Something is at another time or place.</summary>
    private static void Move(Conversation c)
    {
        c.Draw("E", "event", 0);
        c.Draw("d1", "day");
        c.Draw("d2", "day");
        bool told = c.Chance(0.5);
        c.DrawDetails(0, told ? 0.5 : 0, told ? 0.3 : 0, open: false);
        c.Open(0, told ? "tell-moved" : "ask-move");
        if (told)
        {
            c.Say(1, "react-moved");
            c.Tell("sum-moved");
            return;
        }

        if (c.Chance(0.3))
        {
            c.Draw("d2", "day");
            c.Say(1, "move-rather");
            c.Say(0, "agree-short");
        }
        else
        {
            c.Say(1, "agree-short");
        }

        c.Tell("sum-move");
    }

    private static void Borrowing(Conversation c)
    {
        c.Draw("O", "lend-obj", 1);
        c.DrawDetails(0.6, 0.3, 0.1, open: true);
        if (c.Chance(0.75))
        {
            c.Open(0, "borrow");
            c.Settle(1, 0, "lend");
            c.Tell("sum-borrow");
            return;
        }

        c.Open(0, "borrow");
        c.Draw("R", "lend-reason", 1);
        c.Say(1, "no-lend");
        c.Say(0, "see");
        c.Tell("sum-no-lend", 1);
    }

    /// <summary>One of two.</summary>
    private static void Choice(Conversation c)
    {
        if (c.Chance(0.5))
        {
            c.Draw("O", "choice-thing");
            c.Draw("O1", "thing-adj");
            c.Draw("O2", "thing-adj");
            bool second = c.Chance(0.5);
            c.Copy(second ? "O2" : "O1", "O3");
            c.Say(0, "which-thing");
            c.Say(1, "that-one");
            c.Say(0, "take-it");
            c.Tell("sum-thing");
            return;
        }

        c.Draw("O1", "meal");
        c.Draw("O2", "meal");
        c.Copy(c.Chance(0.5) ? "O1" : "O2", "O3");
        c.DrawDetails(0.5, 0.3, 0, open: false);
        c.Open(0, "which-food");
        c.Say(1, "that-food");
        c.Say(0, "food-ok");
        c.Tell("sum-food");
    }

    /// <summary>A and B want to give somebody something.</summary>
    private static void Gift(Conversation c)
    {
        c.Draw("O", "gift-obj", 0);
        c.Draw("F", "gift-day", 2);
        c.Say(0, "ask-gift");
        if (c.Chance(0.35))
        {
            c.Draw("O1", "gift-obj", 0);
            c.Say(1, "idea-gift-wrong");
            c.Say(0, "idea-gift-other");
            c.Say(1, "agree-short");
        }
        else
        {
            c.Say(1, "idea-gift");
            c.Say(0, "agree-short");
        }

        c.Tell("sum-gift");
        if (c.Chance(0.6))
        {
            int buyer = c.LastSpeaker;
            c.DrawDetails(0.6, 0, 0, open: false);
            c.Open(buyer, "buy-gift");
            c.Tell(buyer == 0 ? "sum-buy-a" : "sum-buy-b");
        }
    }

    /// <summary>Whether B has done something.</summary>
    private static void Done(Conversation c)
    {
        bool isFavour = DrawTaskOfSecond(c);
        c.Say(0, "ask-done");
        if (c.Chance(0.5))
        {
            c.Draw("P", "past-day");
            c.Say(1, "is-done");
            c.Say(0, "thank");
            c.Tell("sum-done", 1);
            return;
        }

        bool excused = c.Chance(0.4);
        c.Draw("R", "excuse", 1);
        c.DrawDetails(0.8, 0.3, 0, open: false);
        c.Say(1, excused ? "not-done-because" : "not-done");
        if (isFavour && c.Chance(0.25) && !c.Means("V", "<me>"))
        {
            c.Say(0, "do-myself");
            c.Will(0, "V", details: false);
            c.Tell(excused ? "sum-cannot-because" : "sum-not-done", 1);
            return;
        }

        c.Open(1, "will-do-then");
        c.Say(0, "agree-short");
        c.Will(1, "V");
    }

    /// <summary>A comes later than expected.</summary>
    private static void Delay(Conversation c)
    {
        c.Draw("R", "late-reason", 0);
        c.Draw("U", "minutes");
        if (c.Chance(0.5))
        {
            c.Say(1, "where-are-you");
            c.Say(0, "is-late");
            c.Say(1, "late-ok");
        }
        else
        {
            c.Say(0, "is-late");
            c.Say(1, "late-ok");
        }

        c.Tell("sum-late", 0);
        if (c.Chance(0.4))
        {
            int asker = c.LastSpeaker == 1 ? 0 : 1;
            c.Draw("V", "favour", asker);
            c.Say(asker, "also-ask");
            c.Say(1 - asker, "accept");
            c.Will(1 - asker, "V", details: false);
        }
    }

    /// <summary>A has done something bad to B.</summary>
    private static void Apology(Conversation c)
    {
        c.Draw("N", "offence", 1);
        c.Say(0, "apologise");
        c.Say(1, c.Chance(0.7) ? "forgive" : "annoyed");
        c.Tell("sum-news", 0);
        if (c.Chance(0.7))
        {
            c.Draw("V", "amends", 1);
            c.DrawDetails(0.5, 0.15, 0, open: false);
            c.Open(0, "offer-help");
            c.Say(1, "accept-offer");
            c.Will(0, "V");
        }
    }

    /// <summary>Where B was and why.</summary>
    private static void Whereabouts(Conversation c)
    {
        c.Draw("P", "past-day");
        c.Draw("N", "past-event", 1);
        c.Say(0, "where-were-you");
        c.Say(1, "was-there");
        c.Tell("sum-was", 1);
        if (c.Chance(0.5))
        {
            c.Say(0, "react-plan");
        }
        else
        {
            c.Draw("V", "joint");
            c.DrawDetails(0.7, 0.4, 0.1, open: true);
            c.Open(0, "propose-joint");
            c.Settle(1, 0, "accept-joint");
            c.Will([0, 1], "V");
        }
    }

    /// <summary>B sells something.</summary>
    private static void Price(Conversation c)
    {
        c.Draw("O", "lend-obj", 1);
        string[] price = c.Draw("M", "amount").Split(' ');
        c.Say(0, "ask-price");
        if (c.Chance(0.3))
        {
            int more = int.Parse(price[0], CultureInfo.InvariantCulture) + (5 * (1 + c.Random.Next(6)));
            c.Set("M2", string.Create(CultureInfo.InvariantCulture, $"{more} {price[1]}"));
            c.Say(1, "tell-price-first");
            c.Say(0, "bargain");
            c.Say(1, "agree-short");
        }
        else
        {
            c.Say(1, "tell-price");
        }

        c.DrawDetails(0.6, 0.4, 0.1, open: true);
        c.Open(0, "buy");
        c.Settle(1, 0, "agree-short");
        c.Tell("sum-buy");
    }

    /// <summary>Where B is now, and when B will be back.</summary>
    private static void Status(Conversation c)
    {
        c.Draw("P", "whereabouts", 1);
        c.Draw("H", "destination", 0);
        c.DrawDetails(0, 1, 0, open: false);
        c.Say(0, "where-are-you");
        if (c.Chance(0.5))
        {
            c.Say(1, "is-at");
            c.Say(0, "ask-back");
            c.Open(1, "back-at");
        }
        else
        {
            c.Open(1, "is-at-and-back");
        }

        c.Tell("sum-status", 1);
        if (c.Chance(0.5))
        {
            c.Draw("V", "favour", 0);
            c.Say(0, "also-ask");
            c.Say(1, "accept");
            c.Will(1, "V", details: false);
        }
        else
        {
            c.Say(0, "agree-short");
        }
    }

    /// <summary>How B liked something.</summary>
    private static void Opinion(Conversation c)
    {
        bool good = c.Chance(0.55);
        c.Draw("O", "judged");
        c.Draw("J", good ? "praise" : "blame");
        c.Say(0, "ask-opinion");
        c.Say(1, "give-opinion");
        c.Tell("sum-opinion");
        if (c.Chance(0.6))
        {
            c.Draw("V", "joint");
            c.DrawDetails(0.7, 0.4, 0.1, open: true);
            int next = c.LastSpeaker == 0 ? 1 : 0;
            c.Open(next, "propose-joint");
            c.Settle(1 - next, next, "accept-joint");
            c.Will([next, 1 - next], "V");
        }
        else
        {
            c.Say(0, good ? "react-plan" : "react-bad");
        }
    }
}
