using System.CommandLine;
using System.Text;
using Llama2.Evaluation;

namespace Llama2.Cli;

/// <summary>Measures how well a model does a task on rows with known answers.</summary>
internal sealed class EvaluateCommand : Command
{
    private const string Details = """
        A row is {"messages": [{"role", "content"}, …]}, whose last assistant message is the right answer and is not shown to the model, or has a text in one
        column and the right answer in another. Texts are asked as --prompt-template says; by default
          text-classification   Classify this text as {labels}:\n{input}
          summarization         Summarize this dialog:\n{input}\n---\nSummary:\n
          chat-completion       {input}
          text-generation       {input}, without a chat template
        A case of tool-calling (--tools FILE) is {"messages": […], "tools": [{"name", "description", "parameters": a JSON schema}, …], "expected": {"name",
        "arguments"}}, or "expected": null where no call is due. The functions are offered and the model is free; right_decision, right_function,
        right_arguments (equal as JSON), well_formed and needless_calls say what it made of it.
        Nothing is drawn at random unless a setting of generation says so; an answer has at most 256 tokens unless --max-new-tokens says otherwise.
        The configuration's keys are metrics, aggregator, stemmer, smoothing, generator_config, class_labels, train_labels, use_binary,
        enable_metric_confidence, confidence_metrics and multilabel (false); one that cannot act for the task is refused. The metric perplexity is
        that of the input texts in text-generation, else that of the right answers, both under the model itself.
        --out FOLDER gets report.json, report.md, report.html (one page, nothing else needed), predictions.jsonl and performance_metadata.jsonl.
        """;

    private readonly ModelArguments _model = new();
    private readonly AdapterArguments _adapter = new();
    private readonly EvaluationArguments _evaluation = new();
    private readonly GenerationArguments _generation = new();
    private readonly Option<string?> _out = new("--out") { Description = "Write report and predictions into this folder; made where it is missing", HelpName = "FOLDER" };
    private readonly Option<bool> _json = new("--json") { Description = "Print the report as one JSON object instead of a table" };
    private readonly Option<string?> _title = new("--title") { Description = "The report's title (default: task and file)", HelpName = "TEXT" };

    public EvaluateCommand(Terminal terminal)
        : base("evaluate", "Measures how well a model does a task: classification, summarisation, generation, chat, function calling.")
    {
        _model.AddTo(this);
        _adapter.AddTo(this);
        Add(HelpWithDetails.Option(Details));
        _evaluation.AddTo(this);
        Add(_out);
        Add(_title);
        Add(_json);
        _generation.AddTo(this);
        SetAction((parse, cancellationToken) => RunAsync(parse, terminal, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parse, Terminal terminal, CancellationToken cancellationToken)
    {
        EvaluationPlan plan = _evaluation.Bind(parse).With(_generation.Bind(parse));
        string? folder = parse.GetValue(_out);
        if (!plan.Config.Aggregator && folder is null)
        {
            throw new UsageException($"aggregator: false asks for figures of each text, which go into a file: give {_out.Name}.");
        }

        (IReadOnlyList<EvaluationItem> items, bool isConversation) = await ReadAsync(plan, terminal, cancellationToken);
        if (folder is not null)
        {
            Directory.CreateDirectory(folder);      // a folder that cannot be is told now, not after an hour
        }

        LlamaModelOptions options = _model.Bind(parse);
        _adapter.Bind(parse, options);
        options.MaxConcurrentSequences = Math.Max(options.MaxConcurrentSequences, plan.BatchSize);
        if (plan.Task == EvaluationTask.TextGeneration)
        {
            options.UseChatTemplate(new PlainTextTemplate());
        }

        using LlamaModel model = await _model.LoadAsync(parse, options, terminal, cancellationToken);
        var run = new EvaluationRun(plan, isConversation, items, model, folder, terminal);
        EvaluationReport report = await run.RunAsync(parse.GetValue(_title), cancellationToken);
        if (folder is not null)
        {
            await report.SaveAsync(folder, cancellationToken);
            terminal.Error.WriteLine($"{folder}: report and predictions");
        }

        await WriteAsync(report, parse.GetValue(_json), terminal);
        return CommandLine.Success;
    }

    private static async Task<(IReadOnlyList<EvaluationItem> Items, bool IsConversation)> ReadAsync(
        EvaluationPlan plan, Terminal terminal, CancellationToken cancellationToken)
    {
        if (plan.Task == EvaluationTask.ToolCalling)
        {
            EvaluationItem[] cases = await ToolCallItems.ReadJsonLinesAsync(plan.DataPath, cancellationToken).Take(plan.Limit).ToArrayAsync(cancellationToken);
            int calls = cases.Count(item => item.ExpectedCall is not null);
            terminal.Error.WriteLine($"{plan.DataPath}: {cases.Length} {(cases.Length == 1 ? "case" : "cases")}, a call due in {calls}");
            return cases.Length > 0 ? (cases, true) : throw new InvalidDataException($"'{plan.DataPath}' has no case.");
        }

        var data = EvaluationData.Open(plan.DataPath, plan.Input, plan.Label, plan.Where, plan.NeedsLabel);
        IReadOnlyList<EvaluationItem> items = await data.ReadAsync(plan.Limit, cancellationToken);
        string answer = data.Label is { } label ? $"'{label}'" : data.IsConversation ? "what messages end with" : "none";
        terminal.Error.WriteLine($"{plan.DataPath}: {items.Count} {(items.Count == 1 ? "row" : "rows")}, input '{data.Input}', answer {answer}");
        return (items, data.IsConversation);
    }

    private static async Task WriteAsync(EvaluationReport report, bool json, Terminal terminal)
    {
        if (json)
        {
            using var stream = new MemoryStream();
            report.WriteJson(stream);
            await terminal.Output.WriteLineAsync(Encoding.UTF8.GetString(stream.GetBuffer().AsSpan(0, (int)stream.Length)));
        }
        else
        {
            ReportTable.Write(report, terminal.Output);
        }
    }
}
