using System.CommandLine;
using System.Text.Json;
using Llama2.Evaluation;

namespace Llama2.Cli;

/// <summary>The options of an evaluation under the contract's names, and the configuration behind them, each setting checked against the task.</summary>
internal sealed class EvaluationArguments
{
    private readonly Option<EvaluationTask?> _task;
    private readonly Option<string?> _data = New<string?>("--test-data", "FILE", "JSON lines, one row for each item");
    private readonly Option<string?> _tools = New<string?>("--tools", "FILE", "Cases of function calling: short for --task tool-calling --test-data FILE");
    private readonly Option<string?> _input = New<string?>("--input-column-names", "NAME", "The input's column: a text, or messages (default: found)");
    private readonly Option<string?> _label = New<string?>(
        "--label-column-name", "NAME", "The column of the right answer (default: what messages end with, or found)");

    private readonly Option<string[]> _where = New<string[]>("--where", "COLUMN=VALUE", "Take only rows with this value (may be repeated)");
    private readonly Option<int?> _limit = New<int?>("--limit", "N", "Take only so many rows, the first ones");
    private readonly Option<string?> _config = New<string?>("--evaluation-config", "FILE", "The contract's eval-config.json");
    private readonly Option<string?> _configJson = New<string?>("--evaluation-config-params", "JSON", "The same as one argument");
    private readonly Option<int> _batchSize = New<int>("--batch-size", "N", "Items that are asked at a time; the figures do not depend on it");
    private readonly Option<string?> _prompt = New<string?>(
        "--prompt-template", "TEXT", "What is asked; {input} is the input, {labels} the classes, \\n a new line (default: by task, see below)");

    private readonly Option<string?> _system = New<string?>("--system", "TEXT", "A system message, where a row has none of its own");
    private readonly Option<ClassificationMethod?> _answers = Choice.Option(
        "--answers",
        "How a class is found: labels scores each class as the answer, free reads what the model says (default: labels)",
        ("labels", ClassificationMethod.ScoreLabels),
        ("free", ClassificationMethod.ReadAnswer));

    private readonly Option<bool> _countFailures = new("--count-failures") { Description = "An item that fails, being too long say, counts as wrong; else it ends all" };

    public EvaluationArguments()
    {
        _task = Choice.Option("--task", "What is evaluated", EvaluationTasks.Names);
        _batchSize.DefaultValueFactory = _ => 8;
        AtLeastOne(_limit);
        _batchSize.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > 1024)
            {
                result.AddError($"{_batchSize.Name}: from 1 to 1024 is expected.");
            }
        });
    }

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])
            [_task, _data, _tools, _input, _label, _where, _limit, _config, _configJson, _batchSize, _prompt, _system, _answers, _countFailures])
        {
            command.Add(option);
        }
    }

    /// <exception cref="UsageException">A setting cannot act.</exception>
    public EvaluationPlan Bind(ParseResult parse)
    {
        string? cases = parse.GetValue(_tools);
        if (cases is not null && (IsGiven(parse, _task) || IsGiven(parse, _data)))
        {
            throw new UsageException($"{_tools.Name} says task and data, so that {_task.Name} and {_data.Name} have no place beside it.");
        }

        EvaluationTask task = cases is not null ? EvaluationTask.ToolCalling
            : parse.GetValue(_task) ?? throw new UsageException($"{_task.Name} is needed, or {_tools.Name}.");
        string data = cases ?? parse.GetValue(_data) ?? throw new UsageException($"{_data.Name} is needed.");
        Option[] ofRows = [_input, _label, _where, _config, _configJson, _prompt, _answers];
        if (task == EvaluationTask.ToolCalling && Array.Find(ofRows, option => IsGiven(parse, option)) is { } other)
        {
            throw new UsageException($"{other.Name} has no effect on tool-calling, whose cases say all of it.");
        }

        if (parse.GetValue(_input)?.Contains(',', StringComparison.Ordinal) is true)
        {
            throw new UsageException($"{_input.Name}: one column is the input; several are not supported.");
        }

        if (task != EvaluationTask.TextClassification && parse.GetValue(_answers) is not null)
        {
            throw new UsageException($"{_answers.Name} is for text-classification only.");
        }

        return new EvaluationPlan
        {
            Task = task,
            Config = ReadConfig(parse),
            DataPath = data,
            Input = parse.GetValue(_input),
            Label = parse.GetValue(_label),
            Where = parse.GetValue(_where) ?? [],
            Limit = parse.GetValue(_limit) ?? int.MaxValue,
            BatchSize = parse.GetValue(_batchSize),
            PromptTemplate = parse.GetValue(_prompt)?.Replace("\\n", "\n", StringComparison.Ordinal),
            System = parse.GetValue(_system),
            Method = parse.GetValue(_answers) ?? ClassificationMethod.ScoreLabels,
            CountFailures = parse.GetValue(_countFailures),
        }.Checked();
    }

    private EvaluationConfig ReadConfig(ParseResult parse)
    {
        string? file = parse.GetValue(_config), json = parse.GetValue(_configJson);
        if (file is not null && json is not null)
        {
            throw new UsageException($"Give {_config.Name} or {_configJson.Name}, not both.");
        }

        string source = file ?? _configJson.Name;
        try
        {
            return EvaluationConfig.Parse(file is not null ? File.ReadAllText(file) : json ?? "{}");
        }
        catch (Exception exception) when (exception is JsonException or NotSupportedException)
        {
            throw new UsageException($"{source}: {exception.Message}");
        }
    }

    private static bool IsGiven(ParseResult parse, Option option) => parse.GetResult(option) is { Implicit: false };

    private static Option<T> New<T>(string name, string value, string description) => new(name) { HelpName = value, Description = description };

    private static void AtLeastOne(Option<int?> option) => option.Validators.Add(result =>
    {
        if (result.GetValueOrDefault<int?>() < 1)
        {
            result.AddError($"{option.Name}: at least 1 is needed.");
        }
    });
}
