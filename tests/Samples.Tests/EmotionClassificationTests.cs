using System.Globalization;
using System.Text.RegularExpressions;
using Llama2;
using Microsoft.Extensions.AI;

namespace Samples.Tests;

public sealed partial class EmotionClassificationTests(RandomModelFixture model) : IClassFixture<RandomModelFixture>
{
    private static readonly string[] _emotions = ["sadness", "joy", "love", "anger", "fear", "surprise"];

    [Fact]
    public async Task Run_Text_PrintsTheEmotionAndATable()
    {
        SampleResult result = await SampleRunner.RunAsync("EmotionClassification", "", "--model", model.Path, "I am so happy.");

        Assert.Equal((0, ""), (result.Code, result.Error));
        Dictionary<string, double> expected = await ProbabilitiesAsync("I am so happy.");
        (string Label, double Percent)[] table =
            [.. Row().Matches(result.Output).Select(row => (row.Groups[1].Value, double.Parse(row.Groups[2].Value, CultureInfo.InvariantCulture)))];
        Assert.Equal(expected.OrderByDescending(label => label.Value).Select(label => label.Key), table.Select(row => row.Label));
        Assert.All(table, row => Assert.Equal(100 * expected[row.Label], row.Percent, 0.0501));
        Assert.StartsWith($"{table[0].Label}\n\n", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_Piped_IsTheSameAsAnArgument()
    {
        SampleResult piped = await SampleRunner.RunAsync("EmotionClassification", "What a day ü\n", "--model", model.Path);
        SampleResult argument = await SampleRunner.RunAsync("EmotionClassification", "", "--model", model.Path, "What a day ü");

        Assert.Equal(0, piped.Code);
        Assert.Equal(argument, piped);
    }

    [Fact]
    public async Task Run_NoModel_SaysSo()
    {
        SampleResult result = await SampleRunner.RunAsync("EmotionClassification", "", "--model", "no-such-model");

        Assert.Equal(new(1, "", "error: There is no model at 'no-such-model'; --model PATH names another one.\n"), result);
    }

    private async Task<Dictionary<string, double>> ProbabilitiesAsync(string text)
    {
        using IChatClient client = model.Model.AsIChatClient(leaveOpen: true);
        string prompt = $"Classify the emotion of this text as sadness, joy, love, anger, fear or surprise:\n{text}";
        return (await client.ClassifyAsync([new(ChatRole.User, prompt)], _emotions)).ToDictionary(label => label.Label, label => label.Probability);
    }

    [GeneratedRegex(@"^(\w+) +([\d.]+) %", RegexOptions.Multiline)]
    private static partial Regex Row();
}
