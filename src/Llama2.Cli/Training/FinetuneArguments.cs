using System.CommandLine;
using Llama2.Training;

namespace Llama2.Cli;

/// <summary>Every setting of <c>finetune</c>: those of the Azure ML fine-tuning pipelines, with their names and defaults, and a few of our own.</summary>
internal sealed class FinetuneArguments
{
    private readonly DataArguments _data = new();
    private readonly WeightArguments _weights = new();
    private readonly TrainingArguments _training = new();
    private readonly (RefusedSetting Refusal, Setting<string?> Setting)[] _refused =
        [.. RefusedSetting.All.Select(refusal => (refusal, Setting.Text(refusal.Key, "VALUE", "")))];

    private readonly Option<string?> _config = new("--config")
    {
        Description = "Settings from a YAML or JSON file, under the same names with underscores; the command line wins",
        HelpName = "FILE",
    };

    private readonly Setting[] _settings;

    public FinetuneArguments() => _settings = [.. _data.Settings, .. _weights.Settings, .. _training.Settings];

    public void AddTo(Command command)
    {
        command.Add(_config);
        foreach (Setting setting in _settings)
        {
            command.Add(setting.Option);
        }

        foreach (Setting alias in _data.Aliases)
        {
            alias.Option.Hidden = true;
        }

        foreach ((_, Setting setting) in _refused)
        {
            setting.Option.Hidden = true;
            setting.Option.Arity = ArgumentArity.ZeroOrOne;
            command.Add(setting.Option);
        }
    }

    /// <summary>Reads the settings and checks all that can be checked before a model or data is opened.</summary>
    /// <exception cref="UsageException">A setting is wrong, contradicts another, or asks for what cannot be had.</exception>
    /// <exception cref="IOException">The file of settings cannot be read.</exception>
    public FinetunePlan Bind(ParseResult parse, string model, string output)
    {
        SettingFile? file = parse.GetValue(_config) is { } path
            ? SettingFile.Read(path, [.. _settings.Select(setting => setting.Key), .. _refused.Select(refused => refused.Setting.Key)])
            : null;
        var source = new SettingSource(parse, file);
        foreach ((RefusedSetting refusal, Setting setting) in _refused)
        {
            if (source.Find(setting) is { } values)
            {
                refusal.Check(source.NameOf(setting), values);
            }
        }

        var folder = new FinetuneFolder(output);
        var notes = new List<string>();
        bool evaluates = _training.Evaluates(source);
        TrainingDataOptions data = _data.Bind(source, _training.Seed(source));
        var plan = new FinetunePlan
        {
            ModelPath = model,
            Folder = folder,
            TrainFiles = _data.TrainFiles(source),
            ValidationFiles = _data.ValidationFiles(source, evaluates),
            TestFiles = _data.TestFiles(source),
            MaximumLength = _data.MaximumLength(source),
            Data = data,
            Model = _weights.Bind(source, _training.Seed(source), notes),
            Training = _training.Bind(source, folder.Checkpoints),
            Evaluates = evaluates,
            Metric = _training.Metric(source, data),
            EvaluationInterval = _training.EvaluationInterval(source),
            LoggingSteps = _training.LoggingSteps(source),
            Merge = _weights.Merges(source),
            Format = _weights.Format(source),
            Settings = Describe(source),
            Notes = notes,
        };
        Validate(plan, source);
        return plan;
    }

    /// <summary>Lets the library check its options, and names the setting that it complains about.</summary>
    private void Validate(FinetunePlan plan, SettingSource source)
    {
        try
        {
            plan.Model.Validate();
            plan.Training.Validate();
        }
        catch (ArgumentException exception)
        {
            string message = CommandLine.Describe(exception);
            throw new UsageException(_settings.FirstOrDefault(setting => setting.Property == exception.ParamName) is { } setting
                ? source.NameOf(setting) + message[exception.ParamName!.Length..]
                : message);
        }
    }

    private Dictionary<string, string> Describe(SettingSource source) => _settings
        .Select(setting => (setting.Key, Value: setting.Describe(source)))
        .Where(setting => setting.Value is not null)
        .ToDictionary(setting => setting.Key, setting => setting.Value!);
}
