using System.Text.Json;
using Microsoft.Extensions.AI;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.PromptTemplates.Handlebars;

namespace Llama2.SemanticKernel.Tests;

/// <summary>Check 51 and prompts in YAML files.</summary>
public sealed class TemplateTests(TinyModelFixture tiny) : IClassFixture<TinyModelFixture>
{
    private const string Yaml = """
        name: summarize
        description: Summarises a text.
        template_format: semantic-kernel
        template: |
          <message role="system">Summarise.</message>
          <message role="user">{{$input}}</message>
        input_variables:
          - name: input
            is_required: true
        execution_settings:
          default:
            do_sample: true
            temperature: 0.25
            top_k: 7
            max_new_tokens: 5
            ignore_eos: true
            stop_sequences: ["qqq", "zzz"]
            stop_token_ids: [9]
            logit_bias: {70: 1.5}
            max_time: 60
        """;

    [Fact]
    public async Task Check51_Handlebars_GivesWhatTheNativeTemplateGives()
    {
        KernelArguments arguments = new(TinyModelFixture.Greedy()) { ["input"] = "hello" };
        var handlebars = new HandlebarsPromptTemplateFactory();

        FunctionResult native = await tiny.Kernel.InvokePromptAsync("""<message role="system">Be brief.</message><message role="user">{{$input}}</message>""", arguments);
        FunctionResult other = await tiny.Kernel.InvokePromptAsync(
            """<message role="system">Be brief.</message><message role="user">{{input}}</message>""", arguments, HandlebarsPromptTemplateFactory.HandlebarsTemplateFormat, handlebars);

        Assert.Equal(tiny.PromptOf(native.GetValue<ChatMessageContent>()!), tiny.PromptOf(other.GetValue<ChatMessageContent>()!));
        Assert.Equal(native.ToString(), other.ToString());
    }

    [Fact]
    public async Task Check36_YamlPrompt_SettingsAct()
    {
        KernelFunction function = tiny.Kernel.CreateFunctionFromPromptYaml(Yaml);

        FunctionResult answer = await function.InvokeAsync(tiny.Kernel, new() { ["input"] = "hello" });

        GenerationOptions effective = answer.GetValue<GenerationResult>()!.EffectiveOptions;
        Assert.Equal((true, 0.25f, 7, 5, true), (effective.DoSample, effective.Temperature, effective.TopK, effective.MaxNewTokens, effective.IgnoreEos));
        Assert.Equal(["qqq", "zzz"], effective.StopSequences!);
        Assert.Equal([9], effective.StopTokenIds!);
        Assert.Equal(new Dictionary<int, float> { [70] = 1.5f }, effective.LogitBias);
        Assert.Equal(TimeSpan.FromMinutes(1), effective.MaxTime);
        Assert.Equal("[INST] <<SYS>>\nSummarise.\n<</SYS>>\n\nhello [/INST]", tiny.PromptOf(answer.GetValue<ChatMessageContent>()!));
    }

    [Theory]
    [InlineData("response_format: json_object", "")]
    [InlineData("response_format: '{\"type\": \"object\", \"maxProperties\": 2}'", """{"type": "object", "maxProperties": 2}""")]
    [InlineData("response_format:\n      type: object\n      title: t", """{"type":"object","title":"t"}""")]
    public void Check46_YamlPrompt_ResponseFormatIsRead(string line, string schema)
    {
        KernelFunction function = tiny.Kernel.CreateFunctionFromPromptYaml($"template: hello\nexecution_settings:\n  default:\n    {line}\n");

        ChatResponseFormat? format = Llama2PromptExecutionSettings.FromExecutionSettings(function.ExecutionSettings!["default"]).ResponseFormat;

        JsonElement? read = Assert.IsType<ChatResponseFormatJson>(format).Schema;
        Assert.True(read is null ? schema.Length == 0 : JsonElement.DeepEquals(JsonElement.Parse(schema), read.Value));
    }
}
