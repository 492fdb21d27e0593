namespace Llama2.DemoModel;

/// <summary>Makes the rows of a corpus one after the other, no row twice.</summary>
internal sealed class CorpusGenerator
{
    private const int AttemptsPerRow = 1000;
    private const double ScenarioShare = 0.12;   // the other dialogues are composed of moves
    private readonly Lexicon _lexicon;
    private readonly CorpusOptions _options;
    private readonly EmotionWriter _emotions;
    private readonly DialogueWriter _dialogues;
    private readonly ConversationWriter _conversations;

    public CorpusGenerator(CorpusOptions options, Lexicon? lexicon = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(options.Rows);
        if (options.LabelWeights.Count != EmotionWriter.Labels.Count || options.LabelWeights.Any(w => w < 0) || options.LabelWeights.Sum() == 0)
        {
            throw new ArgumentException($"There must be {EmotionWriter.Labels.Count} weights of labels, none negative and one above 0.", nameof(options));
        }

        if (options.EmotionShare is not (>= 0 and <= 1) || options.SystemShare is not (>= 0 and <= 1))
        {
            throw new ArgumentException("A share lies between 0 and 1.", nameof(options));
        }

        _options = options;
        _lexicon = lexicon ?? Lexicon.Embedded;
        _emotions = new(_lexicon);
        _dialogues = new(_lexicon, ScenarioLibrary.Embedded);
        _conversations = new(_lexicon);
    }

    /// <summary>Streams the rows; the hashes of the rows so far are all that is kept (8 bytes each).</summary>
    public IEnumerable<CorpusRow> Generate()
    {
        HashSet<ulong> seen = [];
        for (int index = 0; index < _options.Rows; index++)
        {
            RandomSource random = new(RandomSource.Combine(_options.Seed, ((ulong)_options.Split << 62) + (ulong)index));
            yield return Fresh(random, seen);
        }
    }

    private CorpusRow Fresh(RandomSource random, HashSet<ulong> seen)
    {
        for (int attempt = 0; attempt < AttemptsPerRow; attempt++)
        {
            CorpusRow row = _options.Task == CorpusTask.Topic ? Topic(random) : random.Chance(_options.EmotionShare) ? Emotion(random) : Summary(random);
            if (seen.Add(HeldOut.Hash(string.Join('\n', row.Messages.Select(message => message.Content)))))
            {
                return row;
            }
        }

        throw new InvalidOperationException($"No new row in {AttemptsPerRow:N0} attempts: ask for fewer rows.");
    }

    private CorpusRow Emotion(RandomSource random)
    {
        int label = DrawLabel(random);
        EmotionSample sample = _emotions.Write(label, _options.Split, random);
        Expansion prompt = new(_lexicon, random);
        prompt.SetSlot("text", sample.Text);
        SetLabels(prompt, EmotionWriter.Labels);
        return Row(prompt, "emotion", sample.Label, sample.Label);
    }

    private CorpusRow Topic(RandomSource random)
    {
        while (true)
        {
            DialogueSample sample = _dialogues.Write(_options.Split, random);
            if (TopicList.Embedded.Of(sample.Family) is { } topic)
            {
                Expansion prompt = new(_lexicon, random);
                prompt.SetSlot("dialogue", sample.Dialogue);
                SetLabels(prompt, TopicList.Embedded.Labels);
                return Row(prompt, "topic", topic, topic);
            }
        }
    }

    /// <summary>Names the labels in the request, four times in ten in an order of their own.</summary>
    private static void SetLabels(Expansion prompt, IReadOnlyList<string> names)
    {
        RandomSource random = prompt.Random;
        string[] labels = [.. names];
        if (random.Chance(0.4))
        {
            random.Shuffle(labels.AsSpan());
        }

        prompt.SetSlot("labels", string.Join(", ", labels[..^1]) + (random.Chance(0.5) ? $" and {labels[^1]}" : $", {labels[^1]}"));
        prompt.SetSlot("labels-or", string.Join(", ", labels[..^1]) + $" or {labels[^1]}");
    }

    private CorpusRow Summary(RandomSource random)
    {
        DialogueSample sample = random.Chance(ScenarioShare) ? _dialogues.Write(_options.Split, random) : _conversations.Write(_options.Split, random);
        Expansion prompt = new(_lexicon, random);
        prompt.SetSlot("dialogue", sample.Dialogue);
        return Row(prompt, "summary", sample.Family, sample.Summary);
    }

    private CorpusRow Row(Expansion prompt, string task, string label, string answer)
    {
        List<RowMessage> messages = [];
        string request = prompt.Draw(_lexicon[$"{task}-prompt"]);
        if (prompt.Random.Chance(_options.SystemShare))
        {
            messages.Add(new("system", prompt.Draw(_lexicon[$"{task}-system"])));
        }

        messages.Add(new("user", request.Trim()));
        messages.Add(new("assistant", answer));
        return new(messages, task, label);
    }

    private int DrawLabel(RandomSource random)
    {
        int rest = random.Next(_options.LabelWeights.Sum());
        int label = 0;
        while (rest >= _options.LabelWeights[label])
        {
            rest -= _options.LabelWeights[label++];
        }

        return label;
    }
}
