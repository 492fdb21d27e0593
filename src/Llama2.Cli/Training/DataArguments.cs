using Llama2.Training;

namespace Llama2.Cli;

/// <summary>Settings of <c>finetune</c> about the rows.</summary>
internal sealed class DataArguments
{
    private readonly Setting<string[]> _train = Setting.Texts("train_file_path", "FILE", "Rows to train on: .jsonl, .csv or .tsv (may be repeated)");
    private readonly Setting<string[]> _validation = Setting.Texts(
        "validation_file_path", "FILE", "Rows to evaluate on (may be repeated; without, a part of the training rows is set aside)");

    private readonly Setting<string[]> _test = Setting.Texts("test_file_path", "FILE", "Rows to measure the final model on (may be repeated)");

    private readonly Setting<string?> _textKey = Setting.Text(
        "text_key", "KEY", "What a row's prompt is called (default: text); also --sentence1-key, --document-key");

    private readonly Setting<string?> _answerKey = Setting.Text(
        "ground_truth_key", "KEY", "What its answer is called (default: ground_truth, but none with --rendering raw); also --label-key, --summary-key");

    private readonly Setting<string?>[] _textAliases = [Setting.Text("sentence1_key", "KEY", ""), Setting.Text("document_key", "KEY", "")];
    private readonly Setting<string?>[] _answerAliases = [Setting.Text("label_key", "KEY", ""), Setting.Text("summary_key", "KEY", "")];
    private readonly Setting<RowRendering> _rendering = Setting.Choice(
        "rendering", "How prompt and answer become one text: as turns of a chat, or one behind the other as they stand", RowRendering.Chat,
        [("chat", RowRendering.Chat), ("raw", RowRendering.Raw)]);

    private readonly Setting<string?> _system = Setting.Text("system_prompt", "TEXT", "A system message for rows that have none");
    private readonly Setting<int> _maximumLength = Setting.Whole("max_seq_length", "The most tokens of a row; -1 is the model's context", -1);
    private readonly Setting<Truncation> _truncation = Setting.Choice(
        "truncation", "What becomes of longer rows", Truncation.CutEnd,
        [("cut-end", Truncation.CutEnd), ("cut-beginning", Truncation.CutBeginning), ("leave-out", Truncation.LeaveOut), ("refuse", Truncation.Refuse)]);

    private readonly Setting<BadRowPolicy> _badRows = Setting.Choice(
        "bad_rows", "What a row that cannot be used does", BadRowPolicy.Fail, [("fail", BadRowPolicy.Fail), ("skip", BadRowPolicy.Skip)]);

    private readonly Setting<LossScope> _lossOn = Setting.Choice(
        "loss_on", "Which tokens are learnt", LossScope.Completions, [("completions", LossScope.Completions), ("all", LossScope.All)]);

    private readonly Setting<bool> _pack = Setting.Flag("pack", "Put short rows into one sequence; they do not see each other", false);

    public IEnumerable<Setting> Settings =>
    [
        _train, _validation, _test, _textKey, _answerKey, .. _textAliases, .. _answerAliases, _rendering, _system,
        _maximumLength, _truncation, _badRows, _lossOn, _pack,
    ];

    /// <summary>Names of other pipelines, which stand in the help of the first ones.</summary>
    public IEnumerable<Setting> Aliases => _textAliases.Concat(_answerAliases);

    public string[] TrainFiles(SettingSource source) => _train.Get(source) is { Length: > 0 } files ? files
        : throw new UsageException($"Give {_train.Option.Name}, or {_train.Key} in a file of settings.");

    public string[] TestFiles(SettingSource source) => _test.Get(source);

    public string[] ValidationFiles(SettingSource source, bool evaluates) => evaluates || !source.IsGiven(_validation) ? _validation.Get(source)
        : throw new UsageException($"{source.NameOf(_validation)} needs an --evaluation-strategy of epoch or steps.");

    /// <summary>The length that was asked for; null for the model's context.</summary>
    public int? MaximumLength(SettingSource source) => Setting.Optional(_maximumLength, source) is int length
        ? length >= 2 ? length : throw new UsageException($"{source.NameOf(_maximumLength)}: 2 tokens at least are needed, or -1 for the model's context.")
        : null;

    public TrainingDataOptions Bind(SettingSource source, int? seed)
    {
        RowRendering rendering = _rendering.Get(source);
        if (rendering == RowRendering.Raw && source.IsGiven(_system))
        {
            throw new UsageException($"{source.NameOf(_system)} needs {_rendering.Option.Name} chat.");
        }

        return new()
        {
            MaximumLength = MaximumLength(source) ?? int.MaxValue,
            TextKey = Key(_textKey, _textAliases, source) ?? "text",
            GroundTruthKey = Key(_answerKey, _answerAliases, source) ?? (rendering == RowRendering.Raw ? null : "ground_truth"),
            Rendering = rendering,
            SystemPrompt = _system.Get(source),
            LossOn = _lossOn.Get(source),
            Truncation = _truncation.Get(source),
            Pack = _pack.Get(source),
            BadRows = _badRows.Get(source),
            ShuffleSeed = seed,
        };
    }

    /// <summary>A key under its own name or that of another pipeline.</summary>
    private static string? Key(Setting<string?> setting, Setting<string?>[] aliases, SettingSource source)
    {
        Setting<string?>[] given = [.. aliases.Prepend(setting).Where(source.IsGiven)];
        if (given.Length > 1)
        {
            throw new UsageException($"{source.NameOf(given[0])} and {source.NameOf(given[1])} mean the same; give one.");
        }

        return given is [var one]
            ? one.Get(source) is { Length: > 0 } key ? key : throw new UsageException($"{source.NameOf(one)}: the key is empty.")
            : null;
    }
}
